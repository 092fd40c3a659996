// npm install openai. The address and the key come from OPENAI_BASE_URL and OPENAI_API_KEY.
import OpenAI from 'openai'

const client = new OpenAI()
const messages = [{ role: 'user', content: 'What is the capital of Japan?' }]

const answer = await client.chat.completions.create({ model: 'gpt-oss-20b', messages })
process.stdout.write(`${answer.choices[0].message.content}\n`)

const stream = await client.chat.completions.create({
  model: 'gpt-oss-20b',
  messages,
  stream: true,
})
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
process.stdout.write('\n')

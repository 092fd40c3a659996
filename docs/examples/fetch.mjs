// Without any package.
const response = await fetch(`${process.env.OPENAI_BASE_URL}/chat/completions`, {
  method: 'POST',
  headers: {
    authorization: `Bearer ${process.env.OPENAI_API_KEY}`,
    'content-type': 'application/json',
  },
  body: JSON.stringify({
    model: 'gpt-oss-20b',
    messages: [{ role: 'user', content: 'What is the capital of Japan?' }],
    reasoning_effort: 'low',
  }),
})
const answer = await response.json()
if (!response.ok) throw new Error(answer.error.message)
process.stdout.write(`${answer.choices[0].message.content}\n`)

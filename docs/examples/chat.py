"""Asks the model once, and once more with the answer printed while it comes."""

from openai import OpenAI

# The address and the key come from OPENAI_BASE_URL and OPENAI_API_KEY.
client = OpenAI()
question = [{"role": "user", "content": "What is the capital of Japan?"}]

answer = client.chat.completions.create(model="gpt-oss-20b", messages=question, reasoning_effort="low")
print(answer.choices[0].message.content)

stream = client.chat.completions.create(model="gpt-oss-20b", messages=question, stream=True)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

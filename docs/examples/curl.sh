#!/bin/sh
# The whole answer as JSON.
curl --fail-with-body --silent --show-error "$OPENAI_BASE_URL/chat/completions" \
  -H "Authorization: Bearer $OPENAI_API_KEY" \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "gpt-oss-20b",
    "messages": [{"role": "user", "content": "What is the capital of Japan?"}],
    "reasoning_effort": "low"
  }'

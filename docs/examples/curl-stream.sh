#!/bin/sh
# The answer while it comes: one event per piece, the last one is [DONE].
curl --fail-with-body --silent --show-error --no-buffer "$OPENAI_BASE_URL/chat/completions" \
  -H "Authorization: Bearer $OPENAI_API_KEY" \
  -H 'Content-Type: application/json' \
  -d '{
    "model": "gpt-oss-20b",
    "messages": [{"role": "user", "content": "What is the capital of Japan?"}],
    "stream": true
  }'

/** What the clients of the chaos ask: every API, streamed and not, that can go on and that cannot. Pure. */

/**
 * `goesOn` of a stream: `always` when no death of the engine may be seen in it, `never` when it ends in an error
 * once a word was said, `sometimes` when that depends on how far it was. `counts` names the text that counts
 * digits, of which each is one token.
 */
const messages = [{ role: 'user', content: 'Count, please: “eins, zwei” 👋' }]
const model = 'gpt-oss-20b'
const usage = { stream: true, stream_options: { include_usage: true } }
const tools = [
  {
    type: 'function',
    function: {
      name: 'add',
      description: 'Adds',
      parameters: { type: 'object', properties: { a: { type: 'number' } } },
    },
  },
]

const CHAT = '/v1/chat/completions'
const COMPLETIONS = '/v1/completions'

const completion = (more) => (tokens) => ({ model, prompt: '1, 2 #', max_tokens: tokens, ...more })
const chat = (more) => (tokens) => ({ model, messages, max_tokens: tokens, ...more })
const responses = (more) => (tokens) => ({
  model,
  input: messages,
  max_output_tokens: tokens,
  ...more,
})
const claude = (more) => (tokens) => ({ model, messages, max_tokens: tokens, ...more })

/** In a chat the model of one variant counts in its answer, that of the other in its reasoning. */
export const VARIANTS = ['counts-in-answer', 'counts-in-reasoning']

export function kindsOf(variant) {
  const counts = variant === 'counts-in-answer' ? 'content' : 'reasoning'
  const toolsGoOn = counts === 'content' ? 'sometimes' : 'always'
  const kinds = [
    stream('completions', COMPLETIONS, 'completions', 'always', 'content', completion(usage)),
    stream(`chat ${counts}`, CHAT, 'chat', 'always', counts, chat(usage)),
    stream(
      `responses ${counts}`,
      '/v1/responses',
      'responses',
      'always',
      counts,
      responses({ stream: true }),
    ),
    stream(
      `messages ${counts}`,
      '/v1/messages',
      'messages',
      'always',
      counts,
      claude({ stream: true }),
    ),
    stream('chat with tools', CHAT, 'chat', toolsGoOn, counts, chat({ ...usage, tools })),
    stream('chat n=2', CHAT, 'chat', 'never', counts, chat({ ...usage, n: 2 })),
    stream(
      'completions logprobs',
      COMPLETIONS,
      'completions',
      'never',
      'content',
      completion({ ...usage, logprobs: 2 }),
    ),
    stream('native', '/completion', 'native', 'never', 'content', completion({ stream: true })),
    whole('completions', COMPLETIONS, 'completions', 'content', completion({})),
    whole('chat', CHAT, 'chat', counts, chat({})),
    whole('chat n=2', CHAT, 'chat', counts, chat({ n: 2 })),
    whole('responses', '/v1/responses', 'responses', counts, responses({})),
    whole('messages', '/v1/messages', 'messages', counts, claude({})),
    whole('tokenize', '/tokenize', 'tokenize', null, (tokens) => ({ content: `#${tokens}` })),
  ]
  return kinds.map((kind) => ({ ...kind, variant }))
}

function stream(name, path, api, goesOn, counts, body) {
  return { name: `${name}, stream`, path, api, isStream: true, goesOn, counts, body }
}

function whole(name, path, api, counts, body) {
  return { name, path, api, isStream: false, goesOn: null, counts, body }
}

/**
 * `npm run convert-proof`: converts a tiny Hugging Face model with upstream's real converter to 8 and to 4 bits,
 * and asks both in the real llama-server. Gets PyTorch the first time, gigabytes on Linux: no part of `npm test`.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { TINY_ANSWER, writeTinyModel } from '../test/fixtures/tiny-hf-model.mjs'
import { prepare, root } from './bootstrap.mjs'
import { runAttached } from './child.mjs'
import { withTestEngine } from './test-engine.mjs'

const STEPS = 3

await prepare({ steps: STEPS })
const env = await withTestEngine({ step: STEPS, steps: STEPS })
const { default: got } = await import('got')
const work = fs.mkdtempSync('/tmp/oss20bd-convert-')
try {
  await writeTinyModel(path.join(work, 'tiny'), { shards: 2 })
  fs.mkdirSync(path.join(work, 'home', 'engines'), { recursive: true })
  fs.symlinkSync(
    fs.realpathSync(env.OSS20BD_TEST_ENGINE),
    path.join(work, 'home', 'engines', 'current'),
  )
  let passed = true
  for (const type of ['q8', 'q4']) passed = (await prove(type)) && passed
  console.log(passed ? 'Both were converted and answer' : 'It does not work')
  process.exitCode = passed ? 0 : 1
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

async function prove(type) {
  const model = path.join(work, `${type}.gguf`)
  const startedAtMs = performance.now()
  const status = await runAttached(
    process.execPath,
    [path.join(root, 'bin', 'oss20bd'), 'convert', path.join(work, 'tiny'), model, '--type', type],
    { env: { ...env, OSS20BD_HOME: path.join(work, 'home') } },
  )
  if (status !== 0) return false
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  const answer = await ask(model)
  console.log(`${type}: ${fs.statSync(model).size} bytes in ${seconds} s, it answers: ${answer}`)
  return answer === TINY_ANSWER
}

async function ask(model) {
  const socket = path.join(work, 'engine.sock')
  const server = path.join(env.OSS20BD_TEST_ENGINE, 'bin', 'llama-server')
  const args = ['-m', model, '--host', socket, '-c', '512', '-np', '1', '--no-ui', '--offline']
  const child = spawn(server, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const gone = new Promise((resolve) => {
    child.once('close', resolve)
  })
  try {
    const listens = new Promise((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (line.includes('listening on')) resolve(true)
      })
    })
    if ((await Promise.race([listens, gone])) !== true) return 'nothing: llama-server ended'
    const body = await got
      .post(`http://unix:${socket}:/v1/chat/completions`, {
        json: { messages: [{ role: 'user', content: 'Who are you?' }], max_tokens: 30 },
        enableUnixSockets: true,
      })
      .json()
    return body.choices[0].message.content
  } finally {
    child.kill()
    await gone
    fs.rmSync(socket, { force: true })
  }
}

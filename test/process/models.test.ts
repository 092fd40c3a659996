/** The commands around model files, in a home of their own, against a stand-in for the hub. */
import { existsSync } from 'node:fs'
import { appendFile, mkdir, open, readlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { execa } from 'execa'
import { expect, test, vi } from 'vitest'
import { command as inspectCommand } from '../../src/cli/commands/inspect.ts'
import { command as modelsCommand } from '../../src/cli/commands/models.ts'
import { command as pullCommand } from '../../src/cli/commands/pull.ts'
import { command as verifyCommand } from '../../src/cli/commands/verify.ts'
import { buildTestModel, writeTestModel } from '../../src/model/test-model.ts'
import { binFile } from '../helpers/cli.ts'
import { makeHome } from '../helpers/model-home.ts'
import { makeModel, model } from '../helpers/pull-rig.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { close, type HubCall, listen, sha256Of, startHub } from '../stand-ins/hub.ts'

const TREE = '/api/models/me/gpt-GGUF/tree/main?recursive=true'

/** A hub with one repository of one model. */
function answerAsHub(call: HubCall): void {
  if (call.path === '/me/gpt-GGUF/resolve/main/m-Q4_K_M.gguf') return call.serve()
  if (call.path !== TREE) return void call.response.writeHead(404).end()
  const lfs = { oid: sha256Of(model), size: model.length }
  const entries = [{ type: 'file', path: 'm-Q4_K_M.gguf', size: model.length, lfs }]
  call.response.end(JSON.stringify(entries))
}

test('pull gets a repository of the hub, names it, and the first one is in use', async () => {
  await using hub = await startHub(model, answerAsHub)
  await using dir = await tempDir()
  const { run, told, shelf } = makeHome(dir, { HF_ENDPOINT: hub.origin, HF_TOKEN: 'hf_secret' })
  expect(await run(pullCommand, { MODEL: 'me/gpt-GGUF' })).toBe(0)
  expect(told.join('')).toContain(
    'm-Q4_K_M.gguf is downloaded: 2.9 MiB, its checksum is the published one',
  )
  expect(await readlink(shelf('current'))).toBe('m-Q4_K_M.gguf')
  expect(hub.requests.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true)
})

test('pull alone gets gpt-oss-20b, from below HF_ENDPOINT, and never a file of another size', async () => {
  await using hub = await startHub(model, (call) => call.serve())
  await using dir = await tempDir()
  const { run } = makeHome(dir, { HF_ENDPOINT: `${hub.origin}/mirror/` })
  await expect(run(pullCommand)).rejects.toThrow('12109566624 or 12109566560 are expected')
  expect(hub.requests.map(({ path }) => path)).toEqual([
    '/mirror/ggml-org/gpt-oss-20b-GGUF/resolve/main/gpt-oss-20b-MXFP4.gguf',
  ])
})

test('pull --json tells its progress and its end in lines of JSON', async () => {
  await using hub = await startHub(model, answerAsHub)
  await using dir = await tempDir()
  const { run, told, said } = makeHome(dir, { HF_ENDPOINT: hub.origin }, true)
  await run(pullCommand, { MODEL: 'me/gpt-GGUF:Q4' })
  const lines = told.map((line): unknown => JSON.parse(line))
  expect(lines[0]).toMatchObject({ event: 'downloading', totalBytes: model.length })
  expect(lines.at(-1)).toMatchObject({ event: 'done', checked: 'published', inUse: true })
  expect(said).toEqual([])
})

test('pull of an address checks the sum that is asked for', async () => {
  await using hub = await startHub(model, (call) => call.serve())
  await using dir = await tempDir()
  const { run } = makeHome(dir)
  const args = { MODEL: `${hub.origin}/x.gguf`, sha256: '0'.repeat(64) }
  await expect(run(pullCommand, args)).rejects.toThrow('it must be 0000')
  expect(await run(pullCommand, { ...args, sha256: sha256Of(model).toUpperCase() })).toBe(0)
})

test('pull does not put one model over another of the same name', async () => {
  await using hub = await startHub(model, (call) => call.serve())
  await using dir = await tempDir()
  const { run, shelf } = makeHome(dir)
  await run(pullCommand, { MODEL: `${hub.origin}/a/x.gguf` })
  await expect(run(pullCommand, { MODEL: `${hub.origin}/b/x.gguf` })).rejects.toMatchObject({
    message: expect.stringContaining(
      `there is a model of that name already, from ${hub.origin}/a/x.gguf`,
    ),
    hint: expect.stringContaining('--name'),
  })
  await run(pullCommand, { MODEL: `${hub.origin}/b/x.gguf`, name: 'y' })
  expect(existsSync(shelf('y.gguf'))).toBe(true)
})

test('pull goes through the proxy of the environment, and past it where NO_PROXY says so', async () => {
  await using hub = await startHub(model, (call) => call.serve())
  await using dir = await tempDir()
  const connected: string[] = []
  const proxy = createServer()
  proxy.on('connect', (request, socket) => {
    connected.push(request.url ?? '')
    const [host, port] = (request.url ?? '').split(':')
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) end.on('error', () => onward.destroy())
  })
  const address = await listen(proxy)
  try {
    vi.stubEnv('http_proxy', address)
    vi.stubEnv('no_proxy', '')
    const { run } = makeHome(dir)
    await run(pullCommand, { MODEL: `${hub.origin}/x.gguf` })
    const before = connected.length
    expect(connected[0]).toBe(new URL(hub.origin).host)
    vi.stubEnv('no_proxy', '127.0.0.1')
    await run(pullCommand, { MODEL: `${hub.origin}/x.gguf`, name: 'second' })
    expect(connected).toHaveLength(before)
  } finally {
    vi.unstubAllEnvs()
    await close(proxy)
  }
})

test('a pull that is stopped says so, ends as signals do, and goes on the next time', async () => {
  const long = makeModel(80_000_000)
  let holds = true
  await using hub = await startHub(long, (call) => {
    const [from = 0] = call.asked ?? []
    call.serve(holds && from > 0 ? { hangAfter: 1_000_000 } : {})
  })
  await using dir = await tempDir()
  const env = { OSS20BD_HOME: dir.path, OSS20BD_CACHE: dir.file('cache') }
  const args = [binFile, 'pull', `${hub.origin}/x.gguf`, '--json']
  const first = execa(process.execPath, args, { env, reject: false })
  first.stdout.on('data', (text: Buffer) => {
    const reached = /"bytes":(\d{8,})/.exec(text.toString())?.[1]
    if (Number(reached ?? 0) > 33_000_000) first.kill('SIGINT')
  })
  const { signal, stderr } = await first
  expect(signal).toBe('SIGINT')
  expect(stderr).toContain('the same command goes on where it stopped')
  holds = false
  const before = hub.requests.length
  const second = await execa(process.execPath, args, { env })
  expect(second.stdout.split('\n').at(-1)).toContain('"event":"done"')
  // The first segment, of 32 MiB, came whole: it is not asked for again.
  const ranges = hub.requests.slice(before).map(({ range }) => range)
  expect(ranges.filter((range) => range?.startsWith('bytes=0-'))).toEqual(['bytes=0-63'])
})

test('models shows what is there, which is used, and what is wrong', async () => {
  await using dir = await tempDir()
  const { run, told, said, shelf } = makeHome(dir)
  await run(modelsCommand)
  expect(said.join('')).toContain('oss20bd pull')
  await writeTestModel(shelf('good.gguf'), { template: 'x' })
  await writeFile(shelf('page.gguf'), '<!DOCTYPE html>')
  await writeFile(shelf('half.gguf.part'), 'GGUF')
  await run(modelsCommand, { ACTION: 'use', NAME: 'good' })
  told.length = 0
  await run(modelsCommand, { ACTION: 'list' })
  expect(told.join('')).toMatch(/\* {2}good\.gguf +937\.0 KiB {2}built-in test model/)
  expect(told.join('')).toMatch(/half\.gguf\.part.*unfinished download/)
  expect(told.join('')).toMatch(/page\.gguf.*it is a web page/)
})

test('models use refuses what cannot be loaded, and what cannot fit', async () => {
  await using dir = await tempDir()
  const { run, context, shelf } = makeHome(dir)
  await mkdir(context.paths.models)
  await writeFile(shelf('old.bin'), 'tjgg\x03\0\0\0')
  await expect(run(modelsCommand, { ACTION: 'use', NAME: 'old.bin' })).rejects.toMatchObject({
    code: 'model-unusable',
    message: expect.stringContaining('the old GGJT format version 3'),
  })
  await expect(run(modelsCommand, { ACTION: 'use', NAME: 'none' })).rejects.toThrow('no such file')
  await writeTestModel(shelf('good.gguf'), { template: 'x' })
  const small = { ...context, flags: { 'memory.budget': '1GiB', 'memory.reserve': '1GiB' } }
  const args = { ACTION: 'use', NAME: 'good', force: false }
  await expect(modelsCommand.run(args, small)).rejects.toThrow('the memory for models is 0 B')
  expect(await modelsCommand.run({ ...args, force: true }, small)).toBe(0)
})

test('models remove spares the one in use and all that is not its own', async () => {
  await using dir = await tempDir()
  const { run, shelf } = makeHome(dir)
  await writeTestModel(shelf('good.gguf'), { template: 'x' })
  await writeTestModel(dir.file('mine.gguf'), { template: 'x' })
  await run(modelsCommand, { ACTION: 'use', NAME: 'good' })
  const remove = (NAME: string, force = false) =>
    run(modelsCommand, { ACTION: 'remove', NAME, force })
  await expect(remove('good')).rejects.toMatchObject({ hint: expect.stringContaining('--force') })
  await expect(remove(dir.file('mine.gguf'))).rejects.toThrow('it is not in the models folder')
  expect(await remove('good', true)).toBe(0)
  expect([shelf('good.gguf'), shelf('current')].filter(existsSync)).toEqual([])
  expect(existsSync(dir.file('mine.gguf'))).toBe(true)
})

test('inspect tells what a model is', async () => {
  await using dir = await tempDir()
  const { run, told, shelf } = makeHome(dir)
  await writeTestModel(shelf('good.gguf'), { template: 'say <|channel|>' })
  expect(await run(inspectCommand, { FILE: 'good' })).toBe(0)
  const shown = told.join('')
  for (const words of [
    /Size +937\.0 KiB, whole: every tensor lies within the file/,
    /Model +oss20bd test model, the built-in test model of oss20bd \(gpt-oss\)/,
    /Layers +2, width \d+, 4 heads, 1 for keys and values/,
    /Experts +4, 2 for each token/,
    /Weights .*MXFP4 .* in \d+/,
    /Tokenizer +gpt2, gpt-4o, \d+ tokens/,
    /Template +15 characters, harmony/,
    /Memory +[\d,]+ tokens of context: \d\.\d GiB/,
  ]) {
    expect(shown).toMatch(words)
  }
})

test('inspect --json has it all for a program', async () => {
  await using dir = await tempDir()
  const { run, told, shelf } = makeHome(dir, {}, true)
  await writeTestModel(shelf('good.gguf'), { template: 'x' })
  await run(inspectCommand, { FILE: 'good' })
  expect(JSON.parse(told.join(''))).toMatchObject({
    isGptOss: true,
    testModel: true,
    whole: true,
    layers: 2,
    template: { characters: 1, harmony: false },
    need: { kind: 'known' },
    tooLarge: null,
  })
})

test('verify notes the first sum, and finds a change of one byte', async () => {
  await using dir = await tempDir()
  const { run, told, shelf } = makeHome(dir)
  const file = shelf('good.gguf')
  await writeTestModel(file, { template: 'x', paddedBytes: 2_000_000 })
  const verify = async (): Promise<[number, string]> => {
    told.length = 0
    return [await run(verifyCommand, { FILE: 'good' }), told.join('')]
  }
  expect(await verify()).toEqual([0, expect.stringContaining('nobody told what it must be')])
  expect(await verify()).toEqual([0, expect.stringContaining('the same as at the first look')])
  const opened = await open(file, 'r+')
  await opened.write('!', 1_900_000)
  await opened.close()
  expect(await verify()).toEqual([1, expect.stringContaining('the file has changed since')])
  await truncate(file, 900_000)
  await expect(run(verifyCommand, { FILE: 'good' })).rejects.toThrow('it is cut short')
})

test('verify holds a file against a sum that is given', async () => {
  await using dir = await tempDir()
  const { run } = makeHome(dir)
  const file = dir.file('mine.gguf')
  const whole = buildTestModel({ template: 'x' })
  await writeFile(file, whole)
  const verify = (sha256: string) => run(verifyCommand, { FILE: file, sha256 })
  expect(await verify(sha256Of(whole))).toBe(0)
  expect(await verify('0'.repeat(64))).toBe(1)
  await appendFile(file, 'x')
  expect(await verify(sha256Of(whole))).toBe(1)
  expect(existsSync(`${file}.origin.json`)).toBe(false)
})

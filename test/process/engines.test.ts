/** Engines that take the place of another one, and those that must not: puppets behind scripts, and the real daemon. */
import { existsSync } from 'node:fs'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { expect, test, type TestContext } from 'vitest'
import type { Command, Context } from '../../src/cli/command.ts'
import { command as enginesCommand } from '../../src/cli/commands/engines.ts'
import { command as rollbackCommand } from '../../src/cli/commands/rollback.ts'
import { command as upgradeCommand } from '../../src/cli/commands/upgrade.ts'
import { nameOfLink } from '../../src/cli/engines/shelf.ts'
import { resolvePaths } from '../../src/config/paths.ts'
import { putInUse, readTrial } from '../../src/engine-trial.ts'
import { OUR_FLAGS } from '../../src/llama/probe-flags.ts'
import type { DaemonScene } from '../helpers/daemon-scene.ts'
import type { PuppetAnswer } from '../helpers/puppet.ts'
import { engineOfVersion, puppetScene, putEngine, putModel } from '../helpers/puppet-scene.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'

async function shelve(home: TempDir, name: string, script: string): Promise<void> {
  await mkdir(home.file('engines', name, 'bin'), { recursive: true })
  await writeFile(home.file('engines', name, 'bin', 'llama-server'), script, { mode: 0o755 })
}

function use(home: TempDir, name: string, earlierTokensPerSecond: number | null = null) {
  const begunAt = new Date().toISOString()
  return putInUse(home.file('engines'), name, { begunAt, earlierTokensPerSecond })
}

async function prepareTwo(home: TempDir): Promise<void> {
  await putModel(home)
  await shelve(home, 'old', engineOfVersion('1.0.0'))
  await shelve(home, 'new', engineOfVersion('2.0.0'))
  await use(home, 'old')
}

/** A daemon that finds the new engine in use, and on trial. */
function onTrial(onTestFinished: TestContext['onTestFinished']) {
  return puppetScene({
    onTestFinished,
    config: { 'restart.baseDelay': '50ms' },
    prepare: async (home) => {
      await prepareTwo(home)
      await use(home, 'new')
    },
  })
}

/** The words of a good engine, at this speed. */
function answerAt(tokensPerSecond: number): PuppetAnswer {
  const choices = [{ message: { role: 'assistant', content: 'One, two, three' } }]
  const timings = { predicted_n: 64, predicted_per_second: tokensPerSecond }
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    chunks: [JSON.stringify({ choices, timings })],
  }
}

async function expectBack(scene: DaemonScene, why: RegExp): Promise<void> {
  const { engine } = await scene.now()
  expect(engine).toMatchObject({ state: 'ready', version: '1.0.0' })
  expect(engine.trial).toMatchObject({ engine: 'new', earlier: 'old', outcome: 'rolled-back' })
  expect(engine.trial?.why).toMatch(why)
  expect(await readlink(scene.home.file('engines', 'current'))).toBe('old')
  const told = await scene.untilTold('engine', ({ facts }) => facts['outcome'] === 'rolled-back')
  expect(told.message).toMatch(/^Went back from the engine new to old: /)
}

test('upgrade checks the new engine, changes to it while a request waits, and keeps the old one', async ({
  onTestFinished,
}) => {
  const { scene, puppets, readyPuppet } = await puppetScene({
    onTestFinished,
    prepare: prepareTwo,
  })
  const old = await readyPuppet()
  await old.answer('/v1/chat/completions', answerAt(40))
  const upgrade = scene.oss20bd('upgrade', '--to', 'new')
  const fresh = await scene.inTime(puppets.next())
  const asked = scene.chat()
  await scene.untilAsked(({ proxy }) => proxy.held === 1)
  await fresh.answer('/v1/chat/completions', answerAt(39))
  await fresh.ready()
  expect(await asked).toMatchObject({ status: 200, body: expect.stringContaining('One, two') })
  const ended = await upgrade
  expect(ended.stderr).toContain('llama-server 2.0.0, on the CPU, answers with the test model')
  expect(ended).toMatchObject({ exitCode: 0, stdout: 'In use, and answering: new' })
  const { engine } = await scene.now()
  expect(engine).toMatchObject({ version: '2.0.0', trial: { outcome: 'running', earlier: 'old' } })
  expect(await scene.oss20bd('status')).toMatchObject({
    stdout: expect.stringContaining('new has taken the place of old'),
  })

  const back = scene.oss20bd('rollback')
  await readyPuppet()
  expect(await back).toMatchObject({ exitCode: 0, stdout: 'In use again, and answering: old' })
  expect((await scene.now()).engine.version).toBe('1.0.0')
})

test('upgrade says why when the new engine fails, and that the old one is back', async ({
  onTestFinished,
}) => {
  const { scene, puppets, readyPuppet } = await puppetScene({
    onTestFinished,
    prepare: prepareTwo,
  })
  await readyPuppet()
  const upgrade = scene.oss20bd('upgrade', '--to', 'new')
  const fresh = await scene.inTime(puppets.next())
  const asked = scene.chat()
  await scene.untilAsked(({ proxy }) => proxy.held === 1)
  await fresh.exit(134)
  await readyPuppet()
  expect(await asked).toMatchObject({ status: 200 })
  const ended = await upgrade
  expect(ended.exitCode).toBe(1)
  expect(ended.stderr).toMatch(/Cannot keep the engine new: it did not come to answer: /)
  expect(ended.stderr).toContain('old is in use again, and answers')
  await expectBack(scene, /^it did not come to answer/)
})

test('an engine that answers badly, or far slower, gets no request, and the earlier one answers', async ({
  onTestFinished,
}) => {
  const { scene, puppets, readyPuppet } = await onTrial(onTestFinished)
  const expectNoRequest = async (answer: PuppetAnswer, why: RegExp): Promise<void> => {
    const asked = scene.chat('for an app')
    const fresh = await scene.inTime(puppets.next())
    await fresh.answer('/v1/chat/completions', answer)
    await fresh.ready()
    await readyPuppet()
    expect(await asked).toMatchObject({ status: 200, body: expect.stringContaining('the puppet') })
    expect(fresh.requests.waiting.filter(({ body }) => body.includes('for an app'))).toEqual([])
    await expectBack(scene, why)
  }
  await expectNoRequest({ status: 500, chunks: ['{}'] }, /it answered with status 500$/)
  await use(scene.home, 'new', 40)
  await scene.ask('restart')
  await expectNoRequest(answerAt(10), /it writes 10\.0 tokens\/s, the earlier one wrote 40\.0$/)
})

test('an engine that crashes again and again is given up while a request waits, which is answered', async ({
  onTestFinished,
}) => {
  const { scene, puppets, readyPuppet } = await onTrial(onTestFinished)
  for (const _death of [1, 2]) await (await readyPuppet()).die('SIGSEGV')
  const last = await readyPuppet()
  await last.answer('/v1/chat/completions', { after: 'hold' })
  const asked = scene.chat()
  await last.onRequest('/v1/chat/completions')
  await last.die('SIGSEGV')
  const back = await scene.inTime(puppets.next())
  await back.ready()
  expect(await asked).toMatchObject({ status: 200 })
  await expectBack(scene, /^it died 3 times in its first 10 min, at last: /)
})

test('an engine that is gone the next day is no reason to have none: a start on trial goes back', async ({
  onTestFinished,
}) => {
  const { scene, readyPuppet } = await puppetScene({
    onTestFinished,
    prepare: async (home) => {
      await prepareTwo(home)
      await use(home, 'new')
      await rename(home.file('engines', 'new'), home.file('elsewhere'))
    },
  })
  await readyPuppet()
  expect((await scene.now()).engine.trial?.why).toMatch(/does not exist$/)
  await expectBack(scene, /^it did not come to answer/)
})

test('when there is nothing to go back to, it says so and goes on as without a trial', async ({
  onTestFinished,
}) => {
  const { scene, puppets } = await puppetScene({
    onTestFinished,
    prepare: async (home) => {
      await prepareTwo(home)
      await use(home, 'new')
      await rename(home.file('engines', 'old'), home.file('elsewhere'))
    },
  })
  await (await scene.inTime(puppets.next())).exit(134)
  const told = await scene.untilTold('engine', ({ facts }) => facts['outcome'] === 'kept')
  expect(told.message).toMatch(/^Cannot go back to old: .*; the engine new stays in use$/)
  const again = await scene.inTime(puppets.next())
  await again.ready()
  expect((await scene.untilReady()).engine.version).toBe('2.0.0')
})

function oldEngine(lacking: readonly string[]): string {
  const listed = OUR_FLAGS.filter((flag) => !lacking.includes(flag)).join('\n')
  return `#!/bin/sh
if [ "$1" = --help ]; then echo '${listed}'; exit; fi
if [ "$1" = --version ]; then echo 'version: 4000 (0ldc0de)'; exit; fi
if [ "$1" = --list-devices ]; then exit; fi
echo started >>"$0.started"
exit 1
`
}

test('a build that is too old is named with the flags it lacks, never started, and replaced', async ({
  onTestFinished,
}) => {
  const { scene, readyPuppet } = await puppetScene({
    onTestFinished,
    prepare: async (home) => {
      await putModel(home)
      await putEngine(home, oldEngine(['--log-jsonl', '--no-ui']))
    },
  })
  const { engine } = await scene.until((status) => status.engine.state === 'failed')
  expect(engine.pid).toBeNull()
  const binaries = await readdir(scene.home.file('engines', 'current', 'bin'))
  expect(binaries).toEqual(['llama-server'])
  expect(engine.detail).toContain(
    'llama-server is too old, it lacks the flags --no-ui, --log-jsonl (',
  )
  await putEngine(scene.home, engineOfVersion('0.5.0'))
  await readyPuppet()
})

/** The commands in a home without a daemon. */
function commandsIn(home: TempDir) {
  const env = { OSS20BD_HOME: home.path, OSS20BD_CACHE: home.file('cache') }
  const told: string[] = []
  const said: string[] = []
  const context: Context = {
    json: false,
    configFile: null,
    flags: {},
    env,
    paths: resolvePaths(process.platform, home.path, env),
    root: home.file('root'),
    stdout: { write: (text) => void told.push(text) },
    stderr: { write: (text) => void said.push(text) },
  }
  const run = (command: Command, args: Record<string, unknown> = {}, changed = context) =>
    command.run(args, changed)
  const engines = (ACTION: string, NAME?: string) => run(enginesCommand, { ACTION, NAME })
  return { run, engines, told, said, context }
}

const gpu = 'MTL0: Apple M4 Pro (21845 MiB, 21845 MiB free)'
const withGpu = engineOfVersion('1.0.0').replace(
  '#!/bin/sh\n',
  `#!/bin/sh\nif [ "$1" = --list-devices ]; then printf 'Available devices:\\n  ${gpu}\\n'; exit; fi\n`,
)

test.each([
  ['is no llama-server', '#!/bin/sh\nexit 0\n', /it does not answer to --version/],
  ['is too old', oldEngine(['--no-ui']), /it is too old, it lacks --no-ui$/],
  [
    'uses no GPU',
    engineOfVersion('2.0.0'),
    /it uses no GPU, the engine in use does \(Apple M4 Pro\)/,
  ],
  [
    'dies of its model',
    withGpu.replace('exec ', 'if [ "$1" != --help ]; then exit 3; fi\nexec '),
    /with the test model, it ended: /,
  ],
])('an engine that %s is refused before it is used', async (_what, script, why) => {
  await using home = await tempDir()
  await shelve(home, 'old', withGpu)
  await shelve(home, 'new', script)
  await use(home, 'old')
  const { run, engines } = commandsIn(home)
  const refused = { code: 'engine-failed', message: expect.stringMatching(why) }
  await expect(run(upgradeCommand, { to: 'new' })).rejects.toMatchObject(refused)
  await expect(engines('use', 'new')).rejects.toMatchObject(refused)
  expect(await readlink(home.file('engines', 'current'))).toBe('old')
  expect(existsSync(home.file('engines', 'trial.json'))).toBe(false)
  expect(existsSync(home.file('engines', 'new', 'bin', 'llama-server.started'))).toBe(false)
})

const standInBuild = `
echo "$@" >"$BUILD_ARGS"
engine="$OSS20BD_HOME/engines/6.0.0-abc"
mkdir -p "$engine/bin" && cp "$OSS20BD_HOME/engines/old/bin/llama-server" "$engine/bin/"
echo "progress 40 Compiling x.cpp"
echo "progress 100 llama-server 6.0.0 installed"
echo "engine $engine"
`

test('upgrade REF builds beside the engine in use, and puts it in use once it is checked', async () => {
  await using home = await tempDir()
  await shelve(home, 'old', engineOfVersion('1.0.0'))
  await use(home, 'old')
  const { run, told, said, context } = commandsIn(home)
  await mkdir(home.file('root', 'scripts'), { recursive: true })
  await writeFile(home.file('root', 'scripts', 'build-llama.sh'), standInBuild)
  const env = { ...process.env, ...context.env, BUILD_ARGS: home.file('args') }
  expect(await run(upgradeCommand, { REF: 'v6.0.0', jobs: 3 }, { ...context, env })).toBe(0)
  const args = `--progress --prefix ${home.file('engines')} --git v6.0.0 --jobs 3 --no-current\n`
  expect(await readFile(home.file('args'), 'utf8')).toBe(args)
  expect(said.join('')).toContain('llama-server 6.0.0 installed')
  expect(told.join('')).toBe('In use from the next start on: 6.0.0-abc\n')
  expect(await readlink(home.file('engines', 'current'))).toBe('6.0.0-abc')
  expect(await readTrial(home.file('engines'))).toMatchObject({ earlier: 'old' })
  told.length = 0
  await run(upgradeCommand, { to: '6.0.0-abc' })
  expect(told.join('')).toBe('In use already: 6.0.0-abc\n')
})

test('engines shows what is there, takes any llama-server by its path, and goes back by hand', async () => {
  await using home = await tempDir()
  await using elsewhere = await tempDir()
  await shelve(home, 'old', engineOfVersion('1.0.0'))
  const { run, engines, told, said } = commandsIn(home)
  await engines('list')
  expect(told.join('')).toMatch(/old +1\.0\.0\n/)
  await engines('use', 'old')

  const file = elsewhere.file('llama-server')
  await writeFile(file, engineOfVersion('9.9.9'), { mode: 0o755 })
  await engines('use', elsewhere.path)
  const name = nameOfLink(file)
  told.length = 0
  await engines('list')
  expect(told.join('')).toMatch(/<\s+old +1\.0\.0 *\n/)
  expect(told.join('')).toContain(`*  ${name}`)
  expect(told.join('')).toMatch(new RegExp(`9\\.9\\.9 +${file}`))
  expect(said.join('')).toContain('< comes back with: oss20bd rollback')

  await expect(engines('remove', name)).rejects.toThrow('it is the engine in use')
  await expect(engines('remove', 'old')).rejects.toThrow('oss20bd rollback goes back to it')
  await expect(engines('remove', '..')).rejects.toThrow('there is none of that name')
  await run(rollbackCommand)
  expect(await readlink(home.file('engines', 'current'))).toBe('old')
  await expect(run(rollbackCommand)).rejects.toThrow('no engine was used before')
  expect(await engines('remove', name)).toBe(0)
  // The link is gone, and not what it led to.
  expect([existsSync(home.file('engines', name)), existsSync(file)]).toEqual([false, true])
})

test('a choice that would have no effect is refused with what to change', async () => {
  await using home = await tempDir()
  await prepareTwo(home)
  const { run, context } = commandsIn(home)
  const named = { ...context, flags: { 'engine.path': '/opt/homebrew/bin/llama-server' } }
  const refused = {
    message: expect.stringContaining('engine.path names /opt/homebrew/bin/llama-server'),
    hint: expect.stringContaining('Take engine.path out of the config'),
  }
  for (const [command, args] of [
    [enginesCommand, { ACTION: 'use', NAME: 'new' }],
    [upgradeCommand, { to: 'new' }],
    [rollbackCommand, {}],
  ] as const) {
    await expect(run(command, args, named)).rejects.toMatchObject(refused)
  }
  await expect(run(upgradeCommand, { REF: 'v1', to: 'new' })).rejects.toThrow('one of them')
  await expect(run(enginesCommand, { ACTION: 'use', NAME: 'x' })).rejects.toThrow('no such engine')
  await chmod(home.file('engines', 'new', 'bin', 'llama-server'), 0o644)
  await expect(run(upgradeCommand, { to: 'new' })).rejects.toThrow('is not executable')
  await symlink('/nowhere', home.file('engines', 'dangling'))
  expect(await run(enginesCommand)).toBe(0)
})

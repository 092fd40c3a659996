/** `oss20bd doctor` on machines with one trouble or many: real processes, files and servers; a Mac's tools are stand-ins that print what real ones printed. */
import { once } from 'node:events'
import { chmod, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { hostname, userInfo } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, onTestFinished, test, type TestContext } from 'vitest'
import { z } from 'zod'
import { writeTestModel } from '../../src/model/test-model.ts'
import { binFile, freePort } from '../helpers/cli.ts'
import { configText } from '../helpers/daemon-scene.ts'
import { GPT_OSS_20B, writeHollowModel } from '../helpers/hollow-model.ts'
import { prepareHome, puppetScene } from '../helpers/puppet-scene.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'

const reportSchema = z.object({
  ok: z.boolean(),
  parts: z.array(z.object({ name: z.string(), state: z.string() })),
  findings: z.array(
    z.object({ part: z.string(), id: z.string(), degree: z.string(), mend: z.string() }),
  ),
})

interface Seen {
  readonly exitCode: number | null
  readonly parts: Readonly<Record<string, string>>
  /** Id to mending command. */
  readonly mends: Readonly<Record<string, string>>
}

interface Home {
  readonly dir: TempDir
  readonly port: number
  /** Puts a program on the PATH before all others. */
  readonly tool: (name: string, script: string) => Promise<void>
  readonly run: (
    args: readonly string[],
    env?: Record<string, string>,
  ) => Promise<{ exitCode: number | null; stdout: string; stderr: string }>
  readonly doctor: (env?: Record<string, string>) => Promise<Seen>
}

const MAC = { OSS20BD_TEST_PLATFORM: 'darwin' }

/** An address at which nobody is: no test asks the real hub. */
const NO_HUB = 'http://127.0.0.1:1'

/** What root may read and write whatever the modes say would hide what a user sees: that power is left out. */
function asUser(file: string): [string, ...string[]] {
  if (process.getuid?.() !== 0) return [file]
  const less = '-dac_override,-dac_read_search'
  return ['setpriv', `--bounding-set=${less}`, `--inh-caps=${less}`, file]
}

async function newHome(dir?: TempDir): Promise<Home> {
  const given = dir ?? (await tempDir())
  if (dir === undefined) onTestFinished(() => given[Symbol.asyncDispose]())
  const tools = given.file('tools')
  await mkdir(tools)
  const port = await freePort()
  const run: Home['run'] = async (args, env = {}) => {
    const [file, ...before] = asUser(process.execPath)
    const { exitCode, stdout, stderr } = await execa(file, [...before, binFile, ...args], {
      reject: false,
      extendEnv: false,
      env: {
        PATH: [tools, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
        HOME: given.path,
        OSS20BD_HOME: given.path,
        OSS20BD_PROXY_PORT: String(port),
        HF_ENDPOINT: NO_HUB,
        ...env,
      },
    })
    return { exitCode: exitCode ?? null, stdout, stderr }
  }
  return {
    dir: given,
    port,
    run,
    tool: async (name, script) => {
      await writeFile(join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    },
    doctor: async (env) => {
      const { exitCode, stdout } = await run(['doctor', '--json'], env)
      const { parts, findings } = reportSchema.parse(JSON.parse(stdout))
      return {
        exitCode,
        parts: Object.fromEntries(parts.map(({ name, state }) => [name, state])),
        mends: Object.fromEntries(findings.map(({ id, mend }) => [id, mend])),
      }
    },
  }
}

function capture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/macos/${name}`, import.meta.url))
}

/** An engine that says what it is, and can do no more. */
async function fakeEngine(home: Home, devices: string): Promise<string> {
  const file = home.dir.file('engines', 'e', 'bin', 'llama-server')
  await mkdir(dirname(file), { recursive: true })
  const script = `case "$1" in
--version) echo 'version: 0.5.0 (build 1, commit de3ff81)' ;;
--list-devices) echo 'Available devices:'; echo '${devices}' ;;
esac`
  await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return file
}

test('a new user is told what to get, in the order in which it is got', async () => {
  const home = await newHome()
  const { exitCode, mends, parts } = await home.doctor()
  expect(mends).toEqual({
    'engine-missing': 'oss20bd build',
    'model-missing': 'oss20bd pull',
    'not-running': 'oss20bd start',
  })
  expect(exitCode).toBe(1)
  expect(parts).toMatchObject({
    clock: expect.stringMatching(/^20\d\d-\d\d-\d\d \d\d:\d\d UTC, plausible$/),
    config: expect.stringContaining('none, so that the defaults hold'),
    tools: expect.stringContaining(`Node ${process.versions.node}`),
  })
})

test('a new Mac without the Command Line Tools, that saves power, is hot, and has Node for Intel', async () => {
  const home = await newHome()
  await home.tool('git', 'touch "$HOME/window-opened"; exit 1')
  await home.tool('cmake', 'echo "cmake version 3.10.2"')
  await home.tool('brew', 'exit 0')
  await home.tool(
    'xcode-select',
    `echo 'xcode-select: error: unable to get active developer directory, use \`sudo xcode-select --switch path/to/Xcode.app\` to set one (or see \`man xcode-select\`)' >&2; exit 2`,
  )
  await home.tool(
    'pmset',
    `if [ "$2" = therm ]; then printf 'CPU_Scheduler_Limit \\t= 100\\nCPU_Speed_Limit \\t= 62\\n'
else printf 'System-wide power settings:\\nCurrently in use:\\n standby              1\\n lowpowermode         1\\n'; fi`,
  )
  await home.tool(
    'sysctl',
    `printf 'kern.hv_vmm_present: 0\\nsysctl.proc_translated: 1\\nhw.memsize: 34359738368\\n'`,
  )
  const { mends, parts } = await home.doctor(MAC)
  expect(mends).toMatchObject({
    'command-line-tools-missing': 'xcode-select --install',
    'cmake-too-old': 'brew install cmake',
    'low-power': 'sudo pmset -a lowpowermode 0',
    'too-hot': 'oss20bd unload',
    'node-translated': '/opt/homebrew/bin/brew install node',
  })
  expect(parts['tools']).toContain('no Command Line Tools')
  // No tool was run that offers to install them.
  await expect(readFile(home.dir.file('window-opened'))).rejects.toThrow('ENOENT')
})

test('a Mac that is well in these ways: its tools print what those of real ones did', async () => {
  const home = await newHome()
  await home.tool(
    'pmset',
    `if [ "$2" = therm ]; then cat '${capture('pmset-g-therm-nominal-m3ultra.txt')}'
else printf 'Currently in use:\\n lowpowermode         0\\n'; fi`,
  )
  await home.tool('xcode-select', 'echo /Library/Developer/CommandLineTools')
  await home.tool('sysctl', `printf 'kern.hv_vmm_present: 0\\nsysctl.proc_translated: 0\\n'`)
  const engine = await fakeEngine(home, '  MTL0: Apple M4 Pro (38338 MiB, 38338 MiB free)')
  const { mends, parts } = await home.doctor({ ...MAC, OSS20BD_ENGINE_PATH: engine })
  const wrong = /low-power|too-hot|node-translated|gpu-not-used|virtual/
  expect(Object.keys(mends).filter((id) => wrong.test(id))).toEqual([])
  expect(parts['engine']).toContain('llama-server 0.5.0, on Apple M4 Pro')
})

test.for([
  ['built without Metal', 'built-without-metal', 'oss20bd build', '-DGGML_METAL=OFF', '0'],
  ['in a virtual machine', 'virtual-machine', 'oss20bd plan --gpu none', '-DGGML_METAL=ON', '1'],
] as const)('an engine %s on a Mac finds no GPU', async ([, id, mend, flag, isVirtual]) => {
  const home = await newHome()
  const engine = await fakeEngine(home, '  (none)')
  const manifest = join(dirname(dirname(engine)), 'manifest.json')
  await writeFile(manifest, JSON.stringify({ flags: [flag] }))
  await home.tool('sysctl', `printf 'kern.hv_vmm_present: ${isVirtual}\\n'`)
  const { mends } = await home.doctor({ ...MAC, OSS20BD_ENGINE_PATH: engine })
  expect(mends).toMatchObject({ [id]: mend })
})

test('a config that is not valid is told, and all else is looked at', async () => {
  const home = await newHome()
  await writeFile(home.dir.file('config.toml'), '[proxy]\nprot = 1\n')
  const { mends, parts, exitCode } = await home.doctor()
  expect(mends).toMatchObject({
    'config-invalid': `\${EDITOR:-nano} ${home.dir.file('config.toml')}`,
    'not-running': 'oss20bd start',
  })
  expect(parts).toMatchObject({
    engine: 'not looked at: the config is not valid',
    folders: expect.stringContaining('yours'),
  })
  expect(exitCode).toBe(1)
})

test('folders that are closed to us, and a model that may not be read', async () => {
  const home = await newHome()
  await mkdir(home.dir.file('models'))
  const model = home.dir.file('models', 'current')
  await writeTestModel(model, { template: '<|channel|>' })
  await chmod(model, 0)
  await mkdir(home.dir.file('logs'))
  await chmod(home.dir.file('logs'), 0o500)
  const { mends } = await home.doctor()
  expect(mends).toMatchObject({
    'folder-closed': `chmod u+rwx ${home.dir.file('logs')}`,
    'model-unreadable': `chmod u+r ${model}`,
  })
})

test('a model that was cut short, and one that is not what was downloaded', async () => {
  const home = await newHome()
  await mkdir(home.dir.file('models'))
  const model = home.dir.file('models', 'current')
  await writeTestModel(model, { template: '<|channel|>' })
  const { length } = await readFile(model)
  const origin = {
    source: null,
    sizeBytes: length + 1,
    sha256: '0'.repeat(64),
    checked: 'published',
  }
  await writeFile(`${model}.origin.json`, JSON.stringify(origin))
  expect((await home.doctor()).mends).toMatchObject({ 'model-corrupt': 'oss20bd verify' })
  await truncate(model, length - 1000)
  expect((await home.doctor()).mends).toMatchObject({ 'model-cut-short': 'oss20bd pull' })
})

test('another program has the port, and the clock went back before what was written down', async () => {
  const home = await newHome()
  const other = createServer()
  other.listen(home.port, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  await mkdir(home.dir.file('logs'))
  const event = { kind: 'asked', message: 'Started', hint: null, facts: {}, evidence: [] }
  const line = JSON.stringify({ at: '2040-01-01T00:00:00.000Z', ...event })
  await writeFile(home.dir.file('logs', 'journal.log'), `${line}\n`)
  const { mends } = await home.doctor()
  expect(mends).toMatchObject({
    'port-taken': `oss20bd start --set proxy.port=${home.port + 1}`,
    'clock-wrong': 'sudo timedatectl set-ntp true',
  })
})

test('a clock that is years away from that of the hub; a hub that never answers is not waited for', async () => {
  const home = await newHome()
  const asked: (string | undefined)[] = []
  const hub = createServer((request, response) => {
    asked.push(request.headers.authorization)
    response.setHeader('date', 'Tue, 01 Jan 2036 00:00:00 GMT')
    if (asked.length === 1) response.end('hello')
  })
  hub.listen(0, '127.0.0.1')
  await once(hub, 'listening')
  onTestFinished(() => {
    hub.closeAllConnections()
    hub.close()
  })
  const address = z.object({ port: z.number() }).parse(hub.address())
  const env = { HF_ENDPOINT: `http://127.0.0.1:${address.port}`, HF_TOKEN: 'hf_secret_token' }
  const first = await home.doctor(env)
  expect(first.mends).toMatchObject({ 'clock-wrong': 'sudo timedatectl set-ntp true' })
  const second = await home.doctor(env)
  expect(second.parts['clock']).toContain('plausible')
  expect(asked).toEqual([undefined, undefined])
})

/** A daemon with a puppet for an engine that is ready, and the doctor in its home. */
async function withDaemon(
  finish: Pick<TestContext, 'onTestFinished'>,
  entering?: string,
): Promise<Home> {
  const { scene, readyPuppet } = await puppetScene({
    ...finish,
    ...(entering === undefined ? {} : { entering }),
  })
  await readyPuppet()
  return newHome(scene.home)
}

test('an engine that the system gives what others leave, as its daemon was started with nice', async (finish) => {
  const home = await withDaemon(finish, 'renice -n 1 $$')
  const { mends, exitCode } = await home.doctor()
  expect(mends).toMatchObject({ background: 'oss20bd stop && oss20bd start' })
  // It works: that is no failure.
  expect(exitCode).toBe(0)
})

test('on a Mac, an engine in the background that has been swapped out', async (finish) => {
  const home = await withDaemon(finish)
  await home.tool('ps', `printf '   4  0\\n'`)
  const swapped = capture('footprint-p-swapped-wired-mlx-server-m4-24gb-macos26.5.txt')
  await home.tool('footprint', `cat '${swapped}'`)
  expect((await home.doctor(MAC)).mends).toMatchObject({
    background: 'oss20bd stop && oss20bd start',
    'cold-pages': 'oss20bd ask hello',
  })
})

test('a model whose weights alone are too much is refused, and both say how to get a smaller one', async (finish) => {
  const prepare = async (dir: TempDir): Promise<void> => {
    await prepareHome(dir)
    const shape = { ...GPT_OSS_20B, layers: 4, vocabulary: 384, merges: 1 }
    await writeHollowModel(dir.file('models', 'current'), shape, '<|channel|>')
  }
  const config = { 'memory.budget': '1GiB', 'memory.reserve': '256MiB' }
  const { scene } = await puppetScene({ ...finish, config, prepare })
  const { engine } = await scene.untilState('refused')
  expect(engine).toMatchObject({
    detail: expect.stringMatching(/weights take 1\.\d GiB, the memory for models is 768\.0 MiB/),
    hint: expect.stringContaining('Get a smaller form of it'),
  })
  const home = await newHome(scene.home)
  expect((await home.doctor()).mends).toMatchObject({
    'model-too-large': 'oss20bd plan',
    refused: 'oss20bd plan',
  })
})

test('a report tells neither who nor what: secrets are planted wherever something is read', async (finish) => {
  const planted = {
    token: 'o20-PlantedTokenOfAnApp0123456789',
    hub: 'hf_PlantedHubToken',
    password: 'planted-pa55word',
    key: 'sk-planted-key-0123456789',
    other: 'Plantedother',
    disk: 'Planted Disk of Hanako',
    mail: 'planted@example.com',
    client: 'planted-laptop',
  }
  const home = await withDaemon(finish)
  const { dir } = home
  const logs = dir.file('logs')
  const said = JSON.stringify({
    at: new Date().toISOString(),
    level: 'warn',
    source: 'daemon',
    message: `cannot open /Users/${planted.other}/m.gguf as ${userInfo().username}`,
    client: planted.client,
    url: `http://${planted.mail}:${planted.password}@proxy:3128`,
    authorization: `Bearer ${planted.token}`,
    host: hostname(),
    path: `/Volumes/${planted.disk}/m.gguf`,
    home: dir.path,
  })
  for (const name of ['daemon1.log', 'engine1.log', 'launchd.err', 'daemon.out']) {
    await writeFile(join(logs, name), `${said}\n${planted.hub} ${planted.key}\n`)
  }
  await mkdir(dir.file('tokens'), { recursive: true })
  await writeFile(dir.file('tokens', `${planted.client}.json`), '{}')
  const extra = configText({
    'engine.extraArgs': ['--api-key', planted.password, `--hf-token=${planted.hub}`],
    'model.alias': planted.client,
  })
  await writeFile(dir.file('other.toml'), extra)
  const { exitCode, stderr } = await home.run(
    ['doctor', '--config', dir.file('other.toml'), '--report', dir.file('report.json')],
    { HF_TOKEN: planted.hub, OSS20BD_TOKEN: planted.token, DB_PASSWORD: planted.password },
  )
  expect(stderr).toContain('read it before you send it')
  const report = await readFile(dir.file('report.json'), 'utf8')
  expect(exitCode).not.toBe(2)
  for (const secret of [...Object.values(planted), dir.path, hostname()]) {
    expect(report).not.toContain(secret)
  }
  expect(JSON.parse(report)).toMatchObject({
    about: { node: process.version },
    doctor: { parts: expect.any(Array) },
    config: expect.any(Object),
    events: expect.any(Array),
  })
})

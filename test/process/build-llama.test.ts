/** scripts/build-llama.sh with stand-ins for cmake, ninja, the compilers and npm: what it installs, and what it leaves alone. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/build-llama.sh', import.meta.url))
const template = 'openai-gpt-oss-120b.jinja'
const binaries = [
  'ggml-rpc-server',
  'llama-bench',
  'llama-fit-params',
  'llama-quantize',
  'llama-server',
]

const standIns = {
  cmake: `
if [ "$1" = --version ]; then echo "cmake version \${CMAKE_VERSION:-3.28.1}"; exit; fi
printf '%s\\n' "$@" >>"$BOX/cmake.args"
mkdir -p "$4"`,
  // Builds each target as a script; BUILD=hang never ends, BUILD=hold ends when the pipe is written to.
  ninja: `
out=$2; shift 4
echo run >>"$BOX/ninja.runs"
echo "[1/2] Building CXX object src/first.cpp.o"
case \${BUILD:-} in
  hang) exec sleep 600 ;;
  hold) read -r _ <"$BOX/hold" ;;
  fail) echo "src/first.cpp:7: error: expected ';'"; exit 1 ;;
  full) echo "fatal error: cannot write: No space left on device"; exit 1 ;;
esac
mkdir -p "$out/bin"
for name in "$@"; do printf '#!/bin/sh\\necho %s\\n' "$name" >"$out/bin/$name"; chmod +x "$out/bin/$name"; done
echo "[2/2] Linking CXX executable bin/llama-server"`,
  cc: 'echo "stand-in cc 1.0"',
  'c++': 'echo "stand-in c++ 1.0"',
  npm: `
mkdir -p package/llama
echo 'not the pinned bundle' >package/llama/gitRelease.bundle
tar -czf node-llama-cpp.tgz package`,
}

let box: string
let prefix: string
let cache: string
let tree: string
const started: { readonly pid: number }[] = []

beforeEach(() => {
  box = fs.mkdtempSync(path.join(tmpdir(), 'build llama '))
  prefix = path.join(box, 'my engines')
  cache = path.join(box, 'my cache')
  tree = path.join(box, 'my llama.cpp')
  fs.mkdirSync(path.join(box, 'bin'))
  for (const [name, body] of Object.entries(standIns)) standIn(name, body)
  fakeTree(tree)
})

afterEach(() => {
  for (const { pid } of started.splice(0)) killGroup(pid)
  fs.rmSync(box, { recursive: true, force: true })
})

function standIn(name: string, body: string): void {
  fs.writeFileSync(path.join(box, 'bin', name), `#!/usr/bin/env bash\n${body}\n`, { mode: 0o755 })
}

function fakeTree(folder: string): void {
  fs.mkdirSync(path.join(folder, 'models', 'templates'), { recursive: true })
  const version = ['MAJOR 0', 'MINOR 6', 'PATCH 2'].map((part) => `set(LLAMA_VERSION_${part})\n`)
  fs.writeFileSync(path.join(folder, 'CMakeLists.txt'), version.join(''))
  fs.writeFileSync(path.join(folder, 'models', 'templates', template), '{{ messages }}\n')
}

type Extra = Readonly<Record<string, string>>

function environment(extra: Extra): Record<string, string> {
  const usual = process.env['PATH'] ?? ''
  const own = { HOME: path.join(box, 'home'), OSS20BD_CACHE: cache, BOX: box }
  return { PATH: `${path.join(box, 'bin')}:${usual}`, ...own, ...extra }
}

function begin(args: readonly string[], extra: Extra = {}) {
  const child = execa(script, args, {
    env: environment(extra),
    extendEnv: false,
    reject: false,
    detached: true,
    stdin: 'ignore',
  })
  if (child.pid !== undefined) started.push({ pid: child.pid })
  return child
}

async function build(args: readonly string[] = [], extra: Extra = {}) {
  return begin(['--source', tree, '--prefix', prefix, ...args], extra)
}

/** Resolves when the child has said so on its standard output, which execa's own iterator would keep busy. */
function says(child: ReturnType<typeof begin>, wanted: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = ''
    child.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString()
      if (wanted.test(heard)) resolve()
    })
    child.once('exit', () => reject(new Error(`ended with "${heard}", not ${wanted.source}`)))
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Already gone.
  }
}

const engineOf = (stdout: string): string =>
  stdout
    .split('\n')
    .at(-1)
    ?.replace(/^engine /, '') ?? ''
const current = (): string => fs.readlinkSync(path.join(prefix, 'current'))
const ninjaRuns = (): number =>
  fs.readFileSync(path.join(box, 'ninja.runs'), 'utf8').trim().split('\n').length
const entries = (folder: string): readonly string[] => fs.readdirSync(folder).toSorted()

describe('an installed engine', () => {
  it('is complete, current and described by its manifest, in folders with spaces', async () => {
    const { exitCode, stdout } = await build()

    expect(exitCode).toBe(0)
    const engine = engineOf(stdout)
    expect(path.dirname(engine)).toBe(prefix)
    expect(path.basename(engine)).toMatch(/^0\.6\.2-[0-9a-f]{10}$/)
    expect(current()).toBe(path.basename(engine))
    expect(entries(path.join(engine, 'bin'))).toEqual(binaries)
    expect(fs.readFileSync(path.join(engine, 'templates', template), 'utf8')).toBe(
      '{{ messages }}\n',
    )
    const manifest: unknown = JSON.parse(
      fs.readFileSync(path.join(engine, 'manifest.json'), 'utf8'),
    )
    expect(manifest).toMatchObject({
      key: path.basename(engine),
      version: '0.6.2',
      source: tree,
      compiler: 'stand-in c++ 1.0',
      flags: expect.arrayContaining(['-DGGML_RPC=ON', '-DLLAMA_USE_PREBUILT_UI=OFF']) as unknown,
      sha256: Object.fromEntries(
        binaries.map((name) => [name, expect.stringMatching(/^[0-9a-f]{64}$/) as unknown]),
      ),
    })
    expect(entries(path.join(cache, 'build'))).toEqual([`${path.basename(engine)}.log`])
  })

  it('is not built again, and is installed elsewhere from the cache', async () => {
    const first = await build()
    const second = await build()
    const other = await begin(['--source', tree, '--prefix', path.join(box, 'other')])

    expect(second.stdout).toContain('already installed')
    expect(engineOf(second.stdout)).toBe(engineOf(first.stdout))
    expect(engineOf(other.stdout)).toBe(path.join(box, 'other', current()))
    expect(ninjaRuns()).toBe(1)
  })

  it('is mended from the cache when a file of it is damaged', async () => {
    const server = path.join(engineOf((await build()).stdout), 'bin', 'llama-server')
    fs.writeFileSync(server, 'cut')

    expect((await build()).exitCode).toBe(0)
    expect(fs.readFileSync(server, 'utf8')).toContain('echo llama-server')
    expect(ninjaRuns()).toBe(1)
  })

  it('stays beside the one of changed sources, which becomes current', async () => {
    await build()
    const old = current()
    fs.appendFileSync(path.join(tree, 'CMakeLists.txt'), '# changed\n')
    await build()

    expect(current()).not.toBe(old)
    expect(entries(prefix)).toEqual([old, current(), 'current'].toSorted())
  })

  it('stays beside the current one with --no-current, and is found there the next time', async () => {
    await build()
    const old = current()
    fs.appendFileSync(path.join(tree, 'CMakeLists.txt'), '# changed\n')
    const first = await build(['--no-current'])
    const second = await build(['--no-current'])

    expect(current()).toBe(old)
    expect(path.basename(engineOf(first.stdout))).not.toBe(old)
    expect(second.stdout).toContain('already installed')
    expect(engineOf(second.stdout)).toBe(engineOf(first.stdout))
    expect(ninjaRuns()).toBe(2)
  })

  it('goes to the engines folder of OSS20BD_HOME when no prefix is given', async () => {
    const { stdout } = await begin(['--source', tree], { OSS20BD_HOME: path.join(box, 'moved') })

    expect(path.dirname(engineOf(stdout))).toBe(path.join(box, 'moved', 'engines'))
  })
})

describe('sources', () => {
  it('come from the upstream tag with --git', async () => {
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['-C', tree, '-c', 'user.name=T', '-c', 'user.email=t@t', ...args], {
        encoding: 'utf8',
      }).trim()
    git('init', '--quiet')
    git('add', '.')
    git('commit', '--quiet', '-m', 'release')
    git('tag', '-a', 'v0.5.0', '-m', 'release')
    const { stdout } = await begin(['--git', '--prefix', prefix], {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.file://${tree}.insteadOf`,
      GIT_CONFIG_VALUE_0: 'https://github.com/ggml-org/llama.cpp',
    })

    const manifest: unknown = JSON.parse(
      fs.readFileSync(path.join(engineOf(stdout), 'manifest.json'), 'utf8'),
    )
    expect(manifest).toMatchObject({ version: '0.5.0', commit: git('rev-parse', 'HEAD') })
  })

  it('are refused when the bundle has not the pinned checksum', async () => {
    const { exitCode, stderr } = await begin(['--prefix', prefix])

    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^Cannot use the llama.cpp bundle: its sha256 is .* is pinned$/m)
    expect(entries(prefix)).toEqual([])
    expect(entries(path.join(cache, 'sources'))).toEqual([])
  })
})

describe('an interrupted build', () => {
  async function buildCutShort(signal: NodeJS.Signals, group: boolean) {
    await build()
    const old = current()
    fs.appendFileSync(path.join(tree, 'CMakeLists.txt'), '# changed\n')
    const args = ['--source', tree, '--prefix', prefix, '--progress']
    const child = begin(args, { BUILD: 'hang' })
    await says(child, /Compiling first/)
    process.kill(group ? -(child.pid ?? 0) : (child.pid ?? 0), signal)
    return { old, result: await child }
  }

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s leaves the old engine current and says so',
    async (signal) => {
      const { old, result } = await buildCutShort(signal, false)

      expect(result.exitCode).toBe(signal === 'SIGTERM' ? 143 : 130)
      expect(result.stderr).toContain('nothing was installed')
      expect(current()).toBe(old)
      expect(entries(prefix)).toEqual([old, 'current'].toSorted())
      expect(entries(path.join(cache, 'build')).filter((name) => name.endsWith('.lock'))).toEqual(
        [],
      )
    },
  )

  it('by a kill of the whole group leaves the old engine current, and the next run finishes it', async () => {
    const { old } = await buildCutShort('SIGKILL', true)
    expect(current()).toBe(old)
    expect(entries(prefix)).toEqual([old, 'current'].toSorted())

    const leftover = path.join(prefix, '.0.6.2-0000000000.tmp.999999999')
    fs.mkdirSync(leftover)
    expect((await build()).exitCode).toBe(0)
    expect(current()).not.toBe(old)
    expect(fs.existsSync(leftover)).toBe(false)
    expect(entries(path.join(cache, 'build')).every((name) => name.endsWith('.log'))).toBe(true)
  })
})

describe('two builds of one engine at once', () => {
  it('compile it once: the second says who is building and waits', async () => {
    execFileSync('mkfifo', [path.join(box, 'hold')])
    const args = ['--source', tree, '--prefix', prefix, '--progress']
    const first = begin(args, { BUILD: 'hold' })
    await says(first, /Compiling first/)
    const second = begin(args)
    await says(second, new RegExp(`Waiting: process ${first.pid} is building`))
    fs.writeFileSync(path.join(box, 'hold'), 'go\n')

    expect((await first).exitCode).toBe(0)
    expect((await second).exitCode).toBe(0)
    expect(ninjaRuns()).toBe(1)
  })
})

describe('what goes wrong', () => {
  it('names every missing tool at once, and the commands that install them', async () => {
    const bare = path.join(box, 'bare')
    fs.mkdirSync(bare)
    for (const tool of ['bash', 'uname', 'dirname', 'basename', 'getconf', 'sed', 'env']) {
      const found = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim()
      fs.symlinkSync(found, path.join(bare, tool))
    }
    const { exitCode, stderr } = await begin(['--prefix', prefix], { PATH: bare })

    expect(exitCode).toBe(1)
    const [line, ...hints] = stderr.split('\n')
    expect(line).toMatch(
      /^Cannot build llama-server: missing cmake, a C compiler, a C\+\+ compiler, make, git, npm/,
    )
    expect(hints.join('\n')).toContain('xcode-select --install && brew install cmake')
    expect(hints.join('\n')).toContain('apt-get install cmake g++ git')
    expect(fs.existsSync(prefix)).toBe(false)
  })

  it('refuses a cmake that is too old', async () => {
    const { exitCode, stderr } = await build([], { CMAKE_VERSION: '3.16.3' })

    expect(exitCode).toBe(1)
    expect(stderr).toContain('missing cmake 3.18 or newer (cmake version 3.16.3 is there)')
  })

  it.each([
    [['--bogus'], 'Cannot read --bogus: no such option'],
    [['--jobs', '0'], "Cannot read --jobs: '0' is not a whole number above 0"],
    [['--jobs'], 'Cannot read --jobs: it needs a number'],
    [['--git', 'v1;rm'], "Cannot read --git: 'v1;rm' is not a tag, branch or commit"],
    [['--source', '/nonexistent'], 'Cannot build from /nonexistent: it holds no CMakeLists.txt'],
  ])('answers %j with status 2 and the reason', async (args, message) => {
    const { exitCode, stderr, stdout } = await begin(args)

    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
    expect(stdout).toBe('')
  })

  it.each([
    ['fail', 'Cannot compile llama.cpp: the compiler reported errors'],
    ['full', 'Cannot build llama-server: the disk that holds'],
  ])(
    'reports a build that ends with "%s" in one line, with the end and the place of the log',
    async (how, message) => {
      const { exitCode, stderr } = await build([], { BUILD: how })

      expect(exitCode).toBe(1)
      expect(stderr.split('\n')[0]).toContain(message)
      expect(stderr).toContain('  | [1/2] Building CXX object src/first.cpp.o')
      const log = /^Full log: (.*)$/m.exec(stderr)?.[1] ?? ''
      expect(fs.existsSync(log)).toBe(true)
      expect(entries(prefix)).toEqual([])
    },
  )
})

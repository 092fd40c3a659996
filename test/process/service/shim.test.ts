/** The shim: which Node it takes, and what it does without one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { tempDir, type TempDir } from '../../helpers/temp-dir.ts'

const shimFile = fileURLToPath(new URL('../../../launchd/oss20bd', import.meta.url))

/** The shim in place, with a machine's own Node out of its sight and short waits. */
async function place(dir: TempDir): Promise<void> {
  const text = (await readFile(shimFile, 'utf8'))
    .replaceAll('/opt/homebrew', dir.file('brew'))
    .replaceAll('/usr/local', dir.file('local'))
    .replace('LOOK_AGAIN_SECONDS=30', 'LOOK_AGAIN_SECONDS=0.1')
  await put(dir.file('service', 'oss20bd'), text)
  await put(dir.file('package', 'bin', 'oss20bd'), '')
  await put(dir.file('package', 'dist', 'cli', 'main.js'), '')
  await put(dir.file('service', 'package-path'), `${dir.file('package')}\n`)
  // All that the shim itself needs of a system.
  await mkdir(dir.file('bin'))
  for (const tool of ['sleep', 'date']) await symlink(`/bin/${tool}`, dir.file('bin', tool))
}

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text, { mode: 0o755 })
}

/** A Node that only says which one it is and how it was called. */
function putNode(file: string, version = 'v20.19.0'): Promise<void> {
  return put(file, `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\necho "$0 $*"\n`)
}

function environment(dir: TempDir): Record<string, string> {
  return { HOME: dir.file('home'), PATH: dir.file('bin') }
}

async function started(dir: TempDir): Promise<string> {
  const { stdout } = await execa(dir.file('service', 'oss20bd'), ['daemon', '--service'], {
    extendEnv: false,
    env: environment(dir),
    timeout: 20_000,
  })
  return stdout
}

const places = [
  ['brew', 'bin', 'node'],
  ['brew', 'opt', 'node@22', 'bin', 'node'],
  ['local', 'bin', 'node'],
  ['home', '.nvm', 'versions', 'node', 'v22.1.0', 'bin', 'node'],
  ['home', '.volta', 'tools', 'image', 'node', '22.1.0', 'bin', 'node'],
  ['home', '.local', 'share', 'mise', 'installs', 'node', '22.1.0', 'bin', 'node'],
  ['home', '.local', 'share', 'fnm', 'node-versions', 'v22.1.0', 'installation', 'bin', 'node'],
  [
    'home',
    'Library',
    'Application Support',
    'fnm',
    'node-versions',
    'v22.1.0',
    'installation',
    'bin',
    'node',
  ],
  ['bin', 'node'],
  ['home', '.asdf', 'installs', 'nodejs', '22.1.0', 'bin', 'node'],
]

test('the recorded Node runs the program, with its arguments and little young memory', async () => {
  await using dir = await tempDir()
  await place(dir)
  await putNode(dir.file('my node', 'node'))
  await putNode(dir.file('brew', 'bin', 'node'))
  await put(dir.file('service', 'node-path'), `${dir.file('my node', 'node')}\n`)
  expect(await started(dir)).toBe(
    `${dir.file('my node', 'node')} --max-semi-space-size=2 --v8-pool-size=1 ${dir.file('package', 'bin', 'oss20bd')} daemon --service`,
  )
})

test.each(places)('when that is gone, one at %s/%s is found', async (...parts) => {
  await using dir = await tempDir()
  await place(dir)
  await put(dir.file('service', 'node-path'), '/gone/node\n')
  // Too old, or none at all, in front of it.
  await putNode(dir.file('brew', 'opt', 'node@18', 'bin', 'node'), 'v18.20.0')
  await put(dir.file('brew', 'opt', 'node@20', 'bin', 'node'), '#!/bin/sh\nexit 1\n')
  await putNode(dir.file(...parts))
  expect(await started(dir)).toContain(`${dir.file(...parts)} --max-semi`)
})

test.each([
  ['v20.18.9', false],
  ['v20.19.0', true],
  ['v21.0.0', true],
  ['v100.1.0', true],
  ['v19.99.0', false],
  ['v9.0.0', false],
  ['nonsense', false],
])('Node %s: new enough is %s', async (version, isFit) => {
  await using dir = await tempDir()
  await place(dir)
  await putNode(dir.file('brew', 'bin', 'node'), version)
  await putNode(dir.file('local', 'bin', 'node'), 'v22.0.0')
  const taken = isFit ? 'brew' : 'local'
  expect(await started(dir)).toContain(`${dir.file(taken, 'bin', 'node')} `)
})

test('without any it says so once, stays, and goes on by itself when one is installed', async () => {
  await using dir = await tempDir()
  await place(dir)
  const child = spawn(dir.file('service', 'oss20bd'), ['daemon'], {
    env: environment(dir),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close')
  const lines: string[] = []
  const reader = createInterface({ input: child.stderr })
  reader.on('line', (line) => lines.push(line))
  await once(reader, 'line')
  await putNode(dir.file('brew', 'bin', 'node'))
  expect(await ended).toEqual([0, null])
  expect(lines).toEqual([
    expect.stringMatching(
      /^\d{4}-.*Z oss20bd: Cannot start: no Node 20\.19 or newer .*brew install node/,
    ),
  ])
})

test('a program that is gone is said too, and a signal ends the wait', async () => {
  await using dir = await tempDir()
  await place(dir)
  await putNode(dir.file('brew', 'bin', 'node'))
  await rm(dir.file('package'), { recursive: true })
  const child = spawn(dir.file('service', 'oss20bd'), ['daemon'], {
    env: environment(dir),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close')
  const [said] = await once(child.stderr, 'data')
  expect(String(said)).toContain(`the program is not at ${dir.file('package')} any more`)
  child.kill('SIGTERM')
  expect((await ended).join(' ')).toMatch(/^0 | SIGTERM$/)
})

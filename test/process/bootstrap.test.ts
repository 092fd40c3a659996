/** scripts/run.mjs and progress.mjs in a small project of their own, with stand-ins for npm and tsc. */
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createProgress } from '../../scripts/progress.mjs'

const scripts = fileURLToPath(new URL('../../scripts', import.meta.url))

const npm = `#!/usr/bin/env node
const fs = require('node:fs')
fs.appendFileSync(process.env.CALLS, 'npm ' + process.argv[2] + '\\n')
if (process.env.NPM === 'fail') { console.error('npm error code ENOTFOUND'); process.exit(1) }
for (let i = 0; i < 4; i++) console.error('npm http fetch GET 200 https://registry.test/p' + i + '/-/p' + i + '.tgz 3ms (cache miss)')
fs.mkdirSync('node_modules/typescript/bin', { recursive: true })
fs.writeFileSync('node_modules/typescript/bin/tsc', fs.readFileSync('tsc.cjs'))
`

// "Compiles" by copying, and refuses the word "wrong".
const tsc = `
const fs = require('node:fs'), path = require('node:path')
fs.appendFileSync(process.env.CALLS, 'tsc\\n')
const out = process.argv[process.argv.indexOf('--outDir') + 1]
fs.mkdirSync(out, { recursive: true })
for (const name of fs.readdirSync('src')) {
  const text = fs.readFileSync('src/' + name, 'utf8')
  if (text.includes('wrong')) { console.log('src/' + name + '(1,1): error TS1: wrong'); process.exit(1) }
  fs.writeFileSync(path.join(out, name.replace('.ts', '.js')), text)
}
`

// The page has tests of its own.
const page = `
import fs from 'node:fs'
fs.mkdirSync(process.argv[2], { recursive: true })
fs.writeFileSync(process.argv[2] + '/index.html', 'page')
`

const bin = `#!/usr/bin/env node
const say = () => console.log('oss20bd ' + process.argv.slice(2).join(' '))
if (process.argv[2] === 'wait') {
  process.on('SIGTERM', () => { console.log('told to stop'); process.exit(5) })
  setInterval(() => {}, 1000)
  say()
} else { say(); process.exitCode = Number(process.env.STATUS ?? 0) }
`

let project: string
const inProject = (...parts: readonly string[]): string => path.join(project, ...parts)

beforeEach(() => {
  project = fs.mkdtempSync(path.join(tmpdir(), 'boot strap '))
  fs.cpSync(scripts, inProject('scripts'), { recursive: true })
  fs.mkdirSync(inProject('src'))
  fs.mkdirSync(inProject('dashboard'))
  fs.mkdirSync(inProject('bin'))
  fs.mkdirSync(inProject('tools'))
  const files = {
    'tools/npm': npm,
    'tsc.cjs': tsc,
    'bin/oss20bd': bin,
    'scripts/build-dashboard.mjs': page,
    'src/one.ts': 'one',
    'tsconfig.json': '{}',
    'tsconfig.build.json': '{}',
    calls: '',
  }
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(inProject(name), text, { mode: 0o755 })
  }
  writeLock('1.0.0')
})

afterEach(() => {
  fs.rmSync(project, { recursive: true, force: true })
})

function writeLock(version: string): void {
  const packages: Record<string, unknown> = { '': {} }
  for (const name of ['p0', 'p1', 'p2', 'p3']) {
    packages[`node_modules/${name}`] = { version, resolved: `https://registry.test/${name}.tgz` }
  }
  const lock = { packages }
  fs.writeFileSync(inProject('package-lock.json'), JSON.stringify(lock))
}

function run(args: readonly string[], extra: Readonly<Record<string, string>> = {}) {
  return execa(process.execPath, [inProject('scripts', 'run.mjs'), ...args], {
    env: {
      PATH: `${inProject('tools')}:${process.env['PATH'] ?? ''}`,
      CALLS: inProject('calls'),
      ...extra,
    },
    reject: false,
    stdin: 'ignore',
  })
}

function newCalls(): readonly string[] {
  const text = fs.readFileSync(inProject('calls'), 'utf8')
  fs.writeFileSync(inProject('calls'), '')
  return text.split('\n').filter((line) => line !== '')
}

describe('preparing a checkout', () => {
  it('installs and compiles a fresh one, with progress, then passes arguments and status through', async () => {
    const { stdout, stderr, exitCode } = await run(['up', '--json'], { STATUS: '4' })

    expect(exitCode).toBe(4)
    expect(stdout).toBe('oss20bd up --json')
    expect(stderr).toMatch(/^\[1\/2\] Install dependencies$/m)
    expect(stderr).toMatch(/^\[1\/2\] Install dependencies {2}50 % {2}0:0\d$/m)
    expect(stderr).toMatch(/^\[2\/2\] Compile TypeScript {2}done {2}0:0\d$/m)
    expect(newCalls()).toEqual(['npm install', 'tsc'])
  })

  it('does nothing and says nothing when all is as it was', async () => {
    await run([])
    newCalls()
    const { stderr } = await run(['status'])

    expect(stderr).toBe('')
    expect(newCalls()).toEqual([])
  })

  it('compiles again after a change of the sources, and removes what has no source any more', async () => {
    await run([])
    newCalls()
    fs.renameSync(inProject('src', 'one.ts'), inProject('src', 'two.ts'))
    await run([])

    expect(newCalls()).toEqual(['tsc'])
    expect(fs.readdirSync(inProject('dist')).toSorted()).toEqual(['.stamp', 'dashboard', 'two.js'])
  })

  it('installs again after a change of the lock file', async () => {
    await run([])
    newCalls()
    writeLock('2.0.0')
    await run([])

    expect(newCalls()).toEqual(['npm install', 'tsc'])
  })

  it('takes an install made by hand for what it is', async () => {
    await run([])
    newCalls()
    fs.rmSync(inProject('node_modules', '.oss20bd-stamp'))
    fs.copyFileSync(inProject('package-lock.json'), inProject('node_modules', '.package-lock.json'))
    await run([])

    expect(newCalls()).toEqual([])
  })

  it('keeps the last good build when the sources do not compile', async () => {
    await run([])
    fs.writeFileSync(inProject('src', 'one.ts'), 'wrong')
    const { exitCode, stderr, stdout } = await run(['up'])

    expect(exitCode).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain('Cannot compile TypeScript')
    expect(stderr).toContain('  | src/one.ts(1,1): error TS1: wrong')
    expect(fs.readFileSync(inProject('dist', 'one.js'), 'utf8')).toBe('one')
  })

  it('explains a failed install in one line and what npm said', async () => {
    const { exitCode, stderr } = await run(['up'], { NPM: 'fail' })

    expect(exitCode).toBe(1)
    expect(stderr).toContain('Cannot install the dependencies')
    expect(stderr).toContain('  | npm error code ENOTFOUND')
    expect(stderr).not.toContain('at ')
  })

  it('installs once when two start at the same moment', async () => {
    await Promise.all([run(['a']), run(['b'])])

    expect(newCalls()).toEqual(['npm install', 'tsc'])
  })

  it('hands SIGTERM on to oss20bd and ends with its status', async () => {
    const child = run(['wait'])
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    const { exitCode, stdout } = await child

    expect(exitCode).toBe(5)
    expect(stdout).toContain('told to stop')
  })
})

describe('a progress line', () => {
  const screen = (columns: number | undefined) => {
    const written: string[] = []
    return {
      written,
      isTTY: columns !== undefined,
      columns,
      write: (text: string) => written.push(text),
    }
  }
  let nowMs = 0
  const options = { step: 2, steps: 4, title: 'Compile llama-server', now: () => nowMs }

  beforeEach(() => {
    nowMs = 0
  })

  it('is redrawn on a terminal with step, bar, percent and elapsed time', () => {
    const stream = screen(80)
    const progress = createProgress({
      ...options,
      stream,
      env: { LANG: 'en_GB.UTF-8', NO_COLOR: '1' },
    })
    nowMs = 192_000
    progress.update(0.434)

    expect(stream.written.at(-1)).toBe(
      '\r\u001B[K[2/4] Compile llama-server  ██████░░░░░░░░   43 %  3:12',
    )
    progress.done('v0.5.0')
    expect(stream.written.at(-1)).toBe('\r\u001B[K[2/4] Compile llama-server  done  3:12  v0.5.0\n')
  })

  it('keeps to ASCII where the terminal does not speak UTF-8, and to colours where they are wanted', () => {
    const stream = screen(80)
    const progress = createProgress({ ...options, stream, env: { LANG: 'C' } })
    progress.update(0.5, 'note')
    progress.done()

    expect(stream.written.join('')).toContain(
      '\u001B[36m#######\u001B[39m-------   50 %  0:00  note',
    )
  })

  it.each([12, 20, 30, 40, 50, 60])('never wraps on a terminal of %i columns', (columns) => {
    const stream = screen(columns)
    const progress = createProgress({ ...options, stream, env: { LANG: 'C', NO_COLOR: '1' } })
    progress.update(null, 'a note that is rather long')
    progress.update(0.99, 'a note that is rather long')
    progress.done('a note that is rather long')

    const lines = stream.written.map((text) => text.replace('\r\u001B[K', '').replace('\n', ''))
    expect(lines.every((line) => line.length < columns)).toBe(true)
  })

  it('becomes plain lines elsewhere: at the start, each 10 %, at the end', () => {
    const stream = screen(undefined)
    const progress = createProgress({ ...options, stream, env: {} })
    for (const fraction of [0.05, 0.1, 0.15, 0.2, 0.37, null, 1]) progress.update(fraction)
    nowMs = 3_723_000
    progress.fail('disk full')
    progress.done()

    expect(stream.written.map((line) => line.trimEnd())).toEqual([
      '[2/4] Compile llama-server',
      '[2/4] Compile llama-server  10 %  0:00',
      '[2/4] Compile llama-server  20 %  0:00',
      '[2/4] Compile llama-server  30 %  0:00',
      '[2/4] Compile llama-server  failed  1:02:03  disk full',
    ])
  })
})

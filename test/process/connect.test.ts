/** `oss20bd connect` as a real child, in a home of its own. */
import { lstat, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { addToken } from '../../src/token-files.ts'
import { binFile } from '../helpers/cli.ts'
import { tempDir, type TempDir } from '../helpers/temp-dir.ts'

function run(home: TempDir, ...args: readonly string[]) {
  return execa(process.execPath, [binFile, 'connect', ...args], {
    env: { HOME: home.path, OSS20BD_HOME: home.path },
    reject: false,
  })
}

test('eval "$(oss20bd connect env)" sets the variables, without a daemon too', async () => {
  await using home = await tempDir()
  await writeFile(home.file('config.toml'), '[proxy]\nport = 8099\n[model]\nalias = "my-model"\n')
  const script = `eval "$("${process.execPath}" "${binFile}" connect env)"; echo "$OPENAI_BASE_URL $OPENAI_API_KEY $OPENAI_MODEL"`
  const { stdout, stderr } = await execa('/bin/sh', ['-c', script], {
    env: { HOME: home.path, OSS20BD_HOME: home.path },
  })
  expect({ stdout, stderr }).toEqual({
    stdout: 'http://127.0.0.1:8099/v1 oss20bd my-model',
    stderr: '',
  })
})

test('shows what would change, changes it only with --write, and then finds it right', async () => {
  await using home = await tempDir()
  const file = home.file('.claude', 'settings.json')
  await mkdir(home.file('.claude'))
  await writeFile(file, '{ "theme": "dark" }', { mode: 0o640 })
  const shown = await run(home, 'claude-code')
  expect(shown.exitCode).toBe(0)
  expect(shown.stdout).toContain('+    "ANTHROPIC_BASE_URL": "http://127.0.0.1:8020"')
  expect(shown.stderr).toContain('Nothing is changed yet')
  expect(await readFile(file, 'utf8')).toBe('{ "theme": "dark" }')

  const written = await run(home, 'claude-code', '--write')
  expect(written.stdout).toBe(shown.stdout)
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
    theme: 'dark',
    env: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:8020', ANTHROPIC_MODEL: 'gpt-oss-20b' },
  })
  expect((await stat(file)).mode & 0o777).toBe(0o640)
  expect((await run(home, 'claude-code', '--write')).stdout).toBe(`${file} is right already`)
})

test('makes a file that is not there for its owner alone, and follows a link', async () => {
  await using home = await tempDir()
  await run(home, 'codex', '--write')
  expect((await stat(home.file('.codex', 'config.toml'))).mode & 0o777).toBe(0o600)

  await mkdir(home.file('dotfiles'))
  await mkdir(home.file('.config', 'zed'), { recursive: true })
  await writeFile(home.file('dotfiles', 'zed.json'), '// 設定\n{}\n')
  await symlink(home.file('dotfiles', 'zed.json'), home.file('.config', 'zed', 'settings.json'))
  await run(home, 'zed', '--write')
  expect((await lstat(home.file('.config', 'zed', 'settings.json'))).isSymbolicLink()).toBe(true)
  expect(await readFile(home.file('dotfiles', 'zed.json'), 'utf8')).toMatch(
    /^\/\/ 設定\n.*oss20bd/s,
  )
})

test('a token is never shown, only where it belongs', async () => {
  await using home = await tempDir()
  const token = await addToken(home.file('tokens'), 'zed', Date.now())
  const { stdout, stderr } = await run(home, 'opencode')
  expect(stdout).toContain('YOUR_TOKEN')
  expect(stderr).toContain('oss20bd token add opencode')
  expect(stdout + stderr).not.toContain(token)
})

test.each([
  [['netscape'], 'Known are env, codex'],
  [['xcode', '--write'], 'Do what this prints: oss20bd connect xcode'],
])('connect %j is refused with what to do', async (args, words) => {
  await using home = await tempDir()
  const { exitCode, stderr } = await run(home, ...args)
  expect(exitCode).toBe(2)
  expect(stderr).toContain(words)
})

test('a config that cannot be read is left alone', async () => {
  await using home = await tempDir()
  await mkdir(home.file('.claude'))
  await writeFile(home.file('.claude', 'settings.json'), '{ "a": ')
  const { exitCode, stderr } = await run(home, 'claude-code', '--write')
  expect(exitCode).toBe(2)
  expect(stderr).toContain('it is no JSON that can be read')
  expect(await readFile(home.file('.claude', 'settings.json'), 'utf8')).toBe('{ "a": ')
})

test('without a name it lists what it knows, for a program as well', async () => {
  await using home = await tempDir()
  expect((await run(home)).stdout).toContain('home-assistant  Home Assistant')
  expect(JSON.parse((await run(home, '--json')).stdout)).toHaveLength(13)
})

test('names the further ports that apps look at', async () => {
  await using home = await tempDir()
  expect((await run(home)).stderr).toContain('set proxy.alsoListen')
  await writeFile(home.file('config.toml'), '[proxy]\nalsoListen = [11434, 5000]\n')
  const { stdout, stderr } = await run(home, 'env')
  const note = 'The same is answered at the ports 11434 (as Ollama does, its OpenAI API only), 5000'
  expect(stderr).toBe(note)
  expect(stdout).toContain('8020')
})

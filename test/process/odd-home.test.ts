/**
 * A person whose home folder has a Japanese name, a space and an emoji, with everything where it is by default.
 * On a Mac every path has a space anyway: `~/Library/Application Support/oss20bd`.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { resolvePaths } from '../../src/config/paths.ts'
import { binFile, freePort } from '../helpers/cli.ts'
import { configText } from '../helpers/daemon-scene.ts'
import { startPuppetControl } from '../helpers/puppet.ts'
import { prepareHome } from '../helpers/puppet-scene.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const question = '要約して 🎌'

async function oddHome() {
  const dir = await tempDir()
  onTestFinished(() => dir[Symbol.asyncDispose]())
  const home = dir.file('山田 太郎 🍎')
  const paths = resolvePaths(process.platform, home, {})
  const puppets = await startPuppetControl()
  onTestFinished(() => puppets[Symbol.asyncDispose]())
  await Promise.all(
    [paths.home, dirname(paths.configFile)].map((path) => mkdir(path, { recursive: true })),
  )
  await prepareHome({ ...dir, path: paths.home, file: (...parts) => join(paths.home, ...parts) })
  const port = await freePort()
  const config = {
    'proxy.port': port,
    'engine.extraArgs': ['--puppet-control', puppets.path],
    'engine.exitGrace': '400ms',
  }
  await writeFile(paths.configFile, configText(config))
  const oss20bd = (args: readonly string[], input = '') =>
    execa(process.execPath, [binFile, ...args], {
      reject: false,
      extendEnv: false,
      input,
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home },
    })
  onTestFinished(async () => {
    await oss20bd(['stop'])
  })
  return { home, paths, port, puppets, oss20bd }
}

const manyCommandsMs = 120_000

test(
  'start, status, ask, logs, why and stop work, and show its name as it is',
  { timeout: manyCommandsMs },
  async () => {
    const { home, paths, port, puppets, oss20bd } = await oddHome()
    const starting = oss20bd(['start'])
    const puppet = await puppets.next()
    await puppet.listening
    await puppet.ready()
    expect(await starting).toMatchObject({
      exitCode: 0,
      stderr: expect.not.stringContaining('%E5'),
    })

    const status = await oss20bd(['status', '--json'])
    expect(JSON.parse(status.stdout)).toMatchObject({
      engine: { state: 'ready', pid: puppet.pid },
      proxy: { url: `http://127.0.0.1:${port}` },
    })
    expect((await oss20bd(['config'])).stdout.split('\n')[0]).toBe(paths.configFile)

    await writeFile(join(home, 'メモ 1.txt'), '本文 👩‍💻')
    const asking = oss20bd(['ask', question, '-f', 'メモ 1.txt'], '続き')
    const { body } = await puppet.onRequest('/v1/chat/completions')
    const [message] = JSON.parse(body).messages
    for (const part of [question, 'メモ 1.txt', '本文 👩‍💻', '続き'])
      expect(message.content).toContain(part)
    expect(await asking).toMatchObject({ exitCode: 0, stdout: 'Hello from the puppet' })

    await puppet.log('info', '読み込み 完了 🎉')
    const written = async (): Promise<string> => readFile(join(paths.logs, 'engine.log'), 'utf8')
    await expect.poll(written, { timeout: 30_000 }).toContain('読み込み 完了 🎉')
    expect((await oss20bd(['logs', '-n', '200'])).stdout).toContain('読み込み 完了 🎉')

    expect(await oss20bd(['why'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^ready/),
    })
    expect(await oss20bd(['stop'])).toMatchObject({ exitCode: 0 })
    expect(await oss20bd(['status'])).toMatchObject({ exitCode: 3 })
  },
)

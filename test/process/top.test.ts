/** The live views of a real daemon, in a real terminal. */
import { appendFile } from 'node:fs/promises'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import type { Status } from '../../src/daemon/control-protocol.ts'
import { binFile } from '../helpers/cli.ts'
import type { DaemonScene } from '../helpers/daemon-scene.ts'
import { puppetScene } from '../helpers/puppet-scene.ts'
import { hasTmux, openTerminal, type TerminalOptions } from '../helpers/terminal.ts'

const leftOut = hasTmux ? '' : ' (left out: no tmux, of the Debian package tmux)'

type Given = Pick<TerminalOptions, 'onTestFinished'> & Partial<TerminalOptions>

const environmentOf = ({ home }: DaemonScene) => ({ HOME: home.path, OSS20BD_HOME: home.path })

function openIn(scene: DaemonScene, args: string, given: Given) {
  const command = `'${process.execPath}' '${binFile}' ${args}`
  return openTerminal({ command, env: environmentOf(scene), ...given })
}

test('without a terminal: top says what to use, and that gives one status per line', async ({
  onTestFinished,
}) => {
  const { scene, readyPuppet } = await puppetScene({ onTestFinished })
  await readyPuppet()
  expect(await scene.oss20bd('top')).toEqual({
    exitCode: 2,
    stdout: '',
    stderr:
      'oss20bd: Cannot show the live view: it needs a terminal\n  For a program: oss20bd status --watch --json',
  })
  const watching = execa(process.execPath, [binFile, 'status', '--watch', '--json'], {
    reject: false,
    extendEnv: false,
    env: environmentOf(scene),
  })
  const states: string[] = []
  for await (const line of watching) {
    const { engine }: Status = JSON.parse(line)
    // A change is told at once: the engine is asked to go once it has been seen.
    if (states.push(engine.state) === 1) await scene.ask('stop-engine')
    if (engine.state === 'down') watching.kill()
  }
  expect([states[0], states.at(-1)]).toEqual(['ready', 'down'])
})

/** tmux keeps its own count of columns: a wide letter that was miscounted would move what stands behind it. */
const clockAtTheEnd = /^ready .* \d\d:\d\d:\d\d$/m

describe.skipIf(!hasTmux)(`in tmux${leftOut}`, () => {
  test('top shows how it is, follows the size of the window, and shows hostile lines as text', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', { status: 200, chunks: ['{"choices":[]}'] })
    await scene.post('/v1/chat/completions', { model: '日本語🙂モデル', messages: [] })
    await puppet.answer('/slots', {
      status: 200,
      chunks: [
        JSON.stringify([
          {
            id: 0,
            is_processing: true,
            id_task: 52,
            n_ctx: 8192,
            n_prompt_tokens: 1000,
            n_prompt_tokens_processed: 1000,
          },
        ]),
      ],
    })
    const terminal = await openIn(scene, 'top', { onTestFinished })
    await terminal.until('slot 0 reads the prompt, 1000 tokens so far')
    await puppet.log('info', '| task 52 | prompt processing, n_tokens = 1000, progress = 0.25, t')
    await terminal.until('slot 0 ███░░░░░░░░░ reads the prompt, 25 %')
    // The daemon lets no such line into its log: it is written there by somebody else.
    const evil = 'evil \u001B[2J\u001B]0;title\u0007\u009B31m\u202E 日本語🙂 end of it\n'
    await appendFile(scene.home.file('logs', 'engine.log'), evil)
    const shown = await terminal.until(/evil .*日本語🙂 end of it/)
    expect(shown).toContain(String.raw`evil \x1b[2J\x1b]0;title\x07\x9b31m\u202e 日本語🙂`)
    expect(shown).toMatch(clockAtTheEnd)
    expect(shown).toMatch(/^ {2}r\w+ .*日本語🙂モデル {2}chat/m)
    await terminal.resize(120, 40)
    await terminal.until((screen) => /^memory .* speed /m.test(screen) && screen.includes('evil'))
    await terminal.resize(40, 20)
    const narrow = await terminal.until((screen) => /^speed /m.test(screen))
    expect(narrow.split('\n').findLast((line) => line !== '')).toContain('q quit r restart')
    await terminal.type('q')
    await terminal.untilClean(0)
  })

  test('keys restart the engine after a yes, and cancel a request', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const first = await readyPuppet()
    const terminal = await openIn(scene, 'top', { onTestFinished })
    await terminal.until(/^ready for/)
    await terminal.type('r')
    await terminal.until('Restart the engine?')
    await terminal.type('n')
    await terminal.until('Nothing was done')
    await terminal.type('r')
    await terminal.until('Restart the engine?')
    await terminal.type('y')
    await first.closed
    const second = await readyPuppet()
    await terminal.until('The engine starts (run 2)')
    await second.answer('/v1/chat/completions', { status: 200, chunks: [], after: 'hold' })
    const asked = scene.chat().catch(() => null)
    const request = await second.onRequest('/v1/chat/completions')
    await terminal.until(/1 open: 1 (reading|answering)/)
    await terminal.type('c')
    expect(await request.closed).toBe('cut')
    await asked
    await terminal.until('cancelled')
  })

  test('the daemon is killed: top says so, comes back to the next one, and leaves the terminal as it was', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    await readyPuppet()
    const terminal = await openIn(scene, 'top', { onTestFinished })
    const watching = await openIn(scene, 'status --watch', { onTestFinished, rows: 40 })
    await terminal.until(/^ready for/)
    await watching.until(/^ready for/)
    await scene.end()
    await terminal.until(/^No connection for .*: the daemon .*; waiting for it$/m)
    await watching.until(/^No news for .*: the daemon .*; waiting for it$/m)
    onTestFinished(async () => {
      await scene.oss20bd('stop')
    })
    const started = scene.oss20bd('start')
    await readyPuppet()
    await started
    await terminal.until(
      (screen) => screen.startsWith('ready for') && !screen.includes('No connection'),
    )
    await watching.until(/^ready for/)
    await terminal.type('C-c')
    await terminal.untilClean(0)
    await watching.type('C-c')
    // The last screen stays.
    const left = await watching.untilClean(0)
    expect(left).toContain('requests   none open; today')
  })

  test('a signal leaves the terminal as it was', async ({ onTestFinished }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    await readyPuppet()
    for (const name of ['TERM', 'HUP', 'INT']) {
      const terminal = await openIn(scene, 'top', { onTestFinished })
      await terminal.until('q quit')
      await terminal.signal(name)
      expect(await terminal.untilClean(/1\d\d/)).not.toContain('q quit')
    }
  })

  test('an error that nobody catches is told on the terminal as it was', async ({
    onTestFinished,
  }) => {
    const screen = new URL('../../dist/cli/top/screen.js', import.meta.url).href
    const script = `import { onScreen } from "${screen}"
      const events = { onKey: () => { throw new Error("a fault") }, onStale: () => {} }
      await onScreen(process, events, (screen) => {
        screen.show(["shown"])
        return new Promise(() => {})
      })`
    const command = `'${process.execPath}' --input-type=module -e '${script}'`
    const terminal = await openTerminal({ onTestFinished, command, env: {} })
    await terminal.until('shown')
    await terminal.type('x')
    expect(await terminal.untilClean(1)).toContain('Error: a fault')
  })
})

/** `oss20bd chat` in a real terminal: what is typed in Japanese reaches the engine, and its answer is drawn in whole letters. */
import { describe, expect, test } from 'vitest'
import { binFile } from '../helpers/cli.ts'
import { puppetScene } from '../helpers/puppet-scene.ts'
import { hasTmux, openTerminal } from '../helpers/terminal.ts'

const leftOut = hasTmux ? '' : ' (left out: no tmux, of the Debian package tmux)'

function event(delta: object, finishReason: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finishReason }] })}\n\n`
}

/** More than one line of 40 columns, which two columns a letter make wrap. */
const longAnswer = 'こんにちは、世界。日本語の返事は長くても正しく折り返されます 🎉 おわり'

describe.skipIf(!hasTmux)(`in tmux${leftOut}`, () => {
  test('a Japanese question and answer, with emoji, and the second question knows the first', async ({
    onTestFinished,
  }) => {
    const { scene, readyPuppet } = await puppetScene({ onTestFinished })
    const puppet = await readyPuppet()
    await puppet.answer('/v1/chat/completions', {
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      chunks: [
        event({ role: 'assistant' }),
        event({ content: longAnswer.slice(0, 11) }),
        event({ content: longAnswer.slice(11) }),
        event({}, 'stop'),
        'data: [DONE]\n\n',
      ],
    })
    const terminal = await openTerminal({
      onTestFinished,
      command: `'${process.execPath}' '${binFile}' chat`,
      env: { HOME: scene.home.path, OSS20BD_HOME: scene.home.path },
      columns: 40,
    })
    await terminal.until(/^>$/m)
    await terminal.type('-l', '富士山の高さは? 🗻')
    await terminal.until('富士山の高さは? 🗻')
    await terminal.type('Enter')
    const first = await puppet.onRequest('/v1/chat/completions')
    expect(JSON.parse(first.body).messages).toEqual([
      { role: 'user', content: '富士山の高さは? 🗻' },
    ])
    // The terminal wraps it where the width of 40 is full; without the ends of lines it is whole.
    await terminal.until((screen) => withoutLineEnds(screen).includes(withoutLineEnds(longAnswer)))
    await terminal.until(/おわり[\s\S]*^>$/m)

    await terminal.type('-l', '二つ目')
    await terminal.type('Enter')
    const second = await puppet.onRequest('/v1/chat/completions')
    expect(JSON.parse(second.body).messages).toEqual([
      { role: 'user', content: '富士山の高さは? 🗻' },
      { role: 'assistant', content: longAnswer },
      { role: 'user', content: '二つ目' },
    ])
    await terminal.until(/二つ目[\s\S]*おわり[\s\S]*^>$/m)
    await terminal.type('C-d')
    await terminal.untilClean(0)
  })
})

function withoutLineEnds(text: string): string {
  return text.replaceAll(/\s/g, '')
}

import { expect, test } from 'vitest'
import { examineAll, type ExaminedPart } from '../../../src/cli/doctor/examine.ts'
import { createContext } from '../../../src/cli/context.ts'
import { NO_PAINT } from '../../../src/cli/paint.ts'
import { doctorJson, renderDoctor } from '../../../src/cli/render-doctor.ts'
import { widthOf } from '../../../src/cli/text-width.ts'
import { Oss20bdError } from '../../../src/errors.ts'

const wrong = { id: 'gone', what: 'It is gone', why: 'nothing is there', mend: 'oss20bd pull' }
const worse = { ...wrong, id: 'slow', what: 'It is slow', degree: 'worse' } as const
const parts: readonly ExaminedPart[] = [
  { name: 'model', state: 'none', findings: [wrong, worse] },
  { name: 'machine', state: 'a Mac of many words that go on and on and on', findings: [] },
  { name: 'speed', state: 'slow', findings: [worse] },
]

test('what is well comes first and what is wrong last, each with its command', () => {
  expect(renderDoctor(parts, NO_PAINT, 80)).toEqual([
    'ok     machine  a Mac of many words that go on and on and on',
    'worse  speed    slow',
    '  It is slow',
    '  seen: nothing is there',
    '  mend: oss20bd pull',
    'wrong  model    It is gone',
    '  seen: nothing is there',
    '  mend: oss20bd pull',
    '  It is slow',
    '  seen: nothing is there',
    '  mend: oss20bd pull',
    '',
    '1 wrong, 2 could be better. Run what stands behind "mend:", then look again:',
    'oss20bd doctor',
  ])
})

test('no line but a command is wider than the terminal, in Japanese too', () => {
  const state = '日本語の長い説明 '.repeat(9)
  const mend = 'oss20bd models use a-very-long-name-of-a-model-that-goes-on-and-on'
  const wide = [{ name: 'model', state, findings: [{ ...wrong, what: state, mend }] }]
  const lines = renderDoctor([...parts, ...wide], NO_PAINT, 40)
  const others = lines.filter((line) => !line.startsWith('  mend: '))
  expect(Math.max(...others.map(widthOf))).toBeLessThanOrEqual(40)
  expect(lines).toContain(`  mend: ${mend}`)
})

test('each is in its colour', () => {
  const tag = (name: string) => (text: string) => `<${name}>${text}</${name}>`
  const paint = { ...NO_PAINT, good: tag('good'), warn: tag('warn'), bad: tag('bad') }
  const text = renderDoctor(parts, paint, 80).join('\n')
  expect(text).toContain('<good>ok     </good>')
  expect(text).toContain('<warn>  It is slow</warn>')
  expect(text).toContain('<bad>wrong  </bad>model    <bad>It is gone</bad>')
})

test('all is well, and only worse is no failure', () => {
  const well = parts.slice(1, 2)
  expect(renderDoctor(well, NO_PAINT, 80).at(-1)).toBe('All is well')
  expect(doctorJson(well)).toMatchObject({ ok: true, findings: [] })
  expect(doctorJson(parts.slice(1))).toMatchObject({ ok: true, findings: [{ degree: 'worse' }] })
  expect(doctorJson(parts)).toMatchObject({
    ok: false,
    findings: [{ part: 'model', id: 'gone', degree: 'wrong' }, {}, {}],
  })
})

test('a part that cannot look keeps no other from it', async () => {
  const context = createContext({ json: false, configFile: null, flags: {} })
  const blind = (code: 'state-folder' | 'config-invalid') => async () => {
    throw new Oss20bdError(code, 'Cannot read it')
  }
  const examined = await examineAll(context, [
    { name: 'one', examine: blind('state-folder') },
    { name: 'two', examine: blind('config-invalid') },
    { name: 'three', examine: async () => ({ state: 'well', findings: [] }) },
  ])
  expect(examined).toMatchObject([
    { name: 'one', findings: [{ id: 'not-examined', why: 'Cannot read it' }] },
    { name: 'two', state: 'not looked at: the config is not valid', findings: [] },
    { name: 'three', state: 'well' },
  ])
})

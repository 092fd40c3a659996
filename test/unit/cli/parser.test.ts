import { expect, test } from 'vitest'
import { readSettings, runCommandLine } from '../../../src/cli/parser.ts'

test('--set reads KEY=VALUE and keeps further equal signs', () => {
  expect(readSettings(['proxy.port=8021', 'model.alias=a=b', 'proxy.port=8022'])).toEqual({
    'proxy.port': '8022',
    'model.alias': 'a=b',
  })
})

test.each(['proxy.port', '=8021', ''])('--set refuses %j', (text) => {
  expect(() => readSettings([text])).toThrow('must be KEY=VALUE')
})

test.each([
  [[], 'Say what to do', undefined],
  [['statsu'], 'Cannot run "statsu": there is no such command', 'Did you mean: oss20bd status'],
  [['frobnicate'], 'frobnicate', 'See: oss20bd --help'],
  [['logs', '--folow'], 'folow', 'See: oss20bd logs --help'],
  [['build', '--git', 'v1', '--source', 'x'], 'mutually exclusive', 'See: oss20bd build --help'],
  [['logs', '--config'], 'Not enough arguments', 'See: oss20bd logs --help'],
  [
    ['logs', '--config', 'a', '--config', 'b'],
    'Cannot use --config twice',
    'Leave one of them out',
  ],
  [['logs', '-n', 'many'], '-n must be a whole number', 'For example: oss20bd logs -n 100'],
  [
    ['config', 'proxy.prot'],
    'Cannot tell about proxy.prot: there is no such setting',
    'Did you mean: oss20bd config proxy.port',
  ],
  [['build', '--jobs', '0'], 'whole number above 0', 'For example: oss20bd build --jobs 4'],
] as [string[], string, string | undefined][])(
  '%j is refused as wrong usage',
  async (argv, message, hint) => {
    const error: unknown = await runCommandLine(argv).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(message),
      ...(hint === undefined ? {} : { hint }),
    })
  },
)

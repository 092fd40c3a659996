import { expect, test } from 'vitest'
import { fixOf } from '../../../../src/cli/doctor/fix.ts'

test.each([
  ['oss20bd start', ['start']],
  ['oss20bd pull', ['pull']],
  ['oss20bd uninstall', null],
  ['oss20bd start; rm -rf /', null],
  ['oss20bd stop && oss20bd start', null],
  ['oss20bd start --set proxy.port=8021', null],
  ['sudo oss20bd start', null],
  ["oss20bd inspect '/a b'", null],
  ['brew install cmake', null],
])('"%s" is run by --fix as %j', (mend, args) => {
  expect(fixOf({ mend })).toEqual(args)
})

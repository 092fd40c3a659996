/** `npm test`: prepares everything, runs every test, and ends with the line `N passed, N failed`. */
import fs from 'node:fs'
import path from 'node:path'
import { prepare, root } from './bootstrap.mjs'
import { runAttached } from './child.mjs'
import { withTestEngine } from './test-engine.mjs'

const STEPS = 3

await prepare({ steps: STEPS })
const env = await withTestEngine({ step: STEPS, steps: STEPS })

// A home of their own: no test may read or change what belongs to the user. Short, for socket paths.
const home = fs.mkdtempSync('/tmp/oss20bd-test-')
const report = path.join(home, 'report.json')
const status = await runAttached(
  process.execPath,
  [
    path.join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, env: { ...withoutUserFolders(env), HOME: home } },
)
const counts = readReport()
fs.rmSync(home, { recursive: true, force: true })
for (const test of counts.secondTry) console.log(`Passed on the second try: ${test}`)
console.log(`Left out: ${counts.leftOut.length === 0 ? 'nothing' : counts.leftOut.join('; ')}`)
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed > 0 ? status || 1 : status

function withoutUserFolders(from) {
  const kept = Object.entries(from).filter(
    ([name]) =>
      !/^XDG_.*_HOME$/.test(name) &&
      (!name.startsWith('OSS20BD_') || name === 'OSS20BD_TEST_ENGINE'),
  )
  return Object.fromEntries(kept)
}

/** A file that cannot be loaded has no failed test, and an unhandled error has no file: each counts as one. */
function readReport() {
  let json
  try {
    json = JSON.parse(fs.readFileSync(report, 'utf8'))
  } catch {
    return { passed: 0, failed: 1, leftOut: [], secondTry: [] }
  }
  const broken = json.testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = json.numFailedTests + broken.length
  return {
    passed: json.numPassedTests,
    failed: failed === 0 && status !== 0 ? 1 : failed,
    leftOut: process.argv.length > 2 ? [] : skippedTests(json),
    secondTry: secondTries(json),
  }
}

function skippedTests(json) {
  return json.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status !== 'passed' && test.status !== 'failed')
      .map((test) => test.fullName),
  )
}

/** With the first line of why the first try failed. */
function secondTries(json) {
  return json.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status === 'passed' && test.failureMessages.length > 0)
      .map((test) => `${test.fullName}: ${test.failureMessages[0].split('\n', 1)[0]}`),
  )
}

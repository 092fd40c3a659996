import { expect, test, type TestContext } from 'vitest'
import { command } from '../../../../src/cli/commands/status.ts'
import type { Context } from '../../../../src/cli/command.ts'
import { resolvePaths } from '../../../../src/config/paths.ts'
import { field } from '../../../../src/cli/json.ts'
import { sendJson, startControlStandIn } from '../../../helpers/control-stand-in.ts'
import { makeStatus } from '../../../helpers/status.ts'
import { tempDir } from '../../../helpers/temp-dir.ts'

/** What the command prints and how it ends, when the daemon answers this. */
async function run(
  onTestFinished: TestContext['onTestFinished'],
  answer: unknown,
  json: boolean,
): Promise<{ readonly status: number; readonly printed: string }> {
  const home = await tempDir()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const env = { OSS20BD_HOME: home.path }
  const paths = resolvePaths(process.platform, home.path, env)
  const standIn = await startControlStandIn(paths.controlSocket, (_asked, response) =>
    sendJson(response, answer),
  )
  onTestFinished(() => standIn.close())
  let printed = ''
  const stdout = { write: (text: string) => (printed += text) }
  const context: Context = {
    json,
    configFile: null,
    flags: {},
    env,
    paths,
    root: home.path,
    stdout,
    stderr: stdout,
  }
  const status = await command.run({ watch: false }, context)
  return { status, printed }
}

/** What scripts may rely on. */
const contract = [
  'daemon.pid',
  'daemon.uptimeMs',
  'wanted',
  'engine.state',
  'engine.pid',
  'engine.version',
  'engine.restarts',
  'engine.lastExit',
  'engine.loadProgress',
  'model.name',
  'model.path',
  'model.testModel',
  'model.contextTokens',
  'model.slots',
  'proxy.url',
  'proxy.inFlight',
  'proxy.queued',
  'proxy.held',
  'proxy.replayed',
  'proxy.failed',
  'proxy.today.since',
  'proxy.today.answered',
  'proxy.today.refused',
  'proxy.today.failed',
  'proxy.today.generatedTokens',
  'memory.level',
  'memory.budgetBytes',
  'memory.plannedBytes',
  'memory.plannedParts.weightBytes',
  'memory.plannedParts.contextBytes',
  'memory.plannedParts.workBytes',
  'memory.plannedParts.promptCacheBytes',
  'memory.footprintBytes',
  'memory.availableBytes',
  'memory.swapUsedBytes',
  'gpu.usedBytes',
  'gpu.limitBytes',
  'gpu.utilisation',
  'throughput.generatedTokensPerSecond',
  'throughput.promptTokensPerSecond',
  'service',
]

test('--json has every key that scripts may rely on', async ({ onTestFinished }) => {
  const { status, printed } = await run(onTestFinished, makeStatus(), true)
  const shown: unknown = JSON.parse(printed)
  expect(contract.filter((key) => field(shown, ...key.split('.')) === undefined)).toEqual([])
  expect(status).toBe(0)
})

test.for([
  ['ready', 0],
  ['starting', 4],
  ['failed', 4],
] as const)('%s ends with %i', async ([state, expected], { onTestFinished }) => {
  const answer = makeStatus({ engine: { state } })
  const { status, printed } = await run(onTestFinished, answer, false)
  expect({ status, first: printed.split(' ')[0] }).toEqual({ status: expected, first: state })
})

test('a daemon of another version is no fault of ours, and --json still shows it', async ({
  onTestFinished,
}) => {
  const { gpu: _gpu, ...older } = makeStatus()
  await expect(run(onTestFinished, older, false)).rejects.toMatchObject({
    message: 'Cannot show the status: the daemon is of another version (0.1.0)',
    hint: 'Start it anew: oss20bd stop, then oss20bd start',
  })
  expect((await run(onTestFinished, older, true)).printed).toContain('"state": "ready"')
})

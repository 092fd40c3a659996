/** `oss20bd stop`: ends the daemon and with it the engine, or with --engine the engine alone. */
import { systemClock } from '../../clock.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import { Oss20bdError } from '../../errors.ts'
import { formatDuration } from '../../units.ts'
import type { Context } from '../command.ts'
import { defineCommand, print } from '../command.ts'
import { askDaemon, askIfRunning, watchDaemon } from '../control-client.ts'
import { endService } from '../daemon-by-service.ts'
import { isGone } from '../process-gone.ts'
import type { Progress } from '../progress.ts'
import { withProgress } from '../progress.ts'
import { waitingText } from '../render.ts'
import { readSettled, stopLimitMs } from '../settings.ts'

/** Used when the config cannot be read: what is running must be stoppable all the same. */
const FALLBACK_LIMIT_MS = 60_000
const POLL_MS = 50

export const command = defineCommand({
  options: {
    engine: {
      type: 'boolean',
      default: false,
      describe: 'Stop only the engine (frees its memory); the port stays and says so',
    },
  },
  async run(args, context) {
    if (!args.engine && (await stopByService(context))) return 0
    const before = await askIfRunning(context.paths.controlSocket)
    if (before === null) {
      tell(context, 'Not running: nothing to stop', { stopped: null, pid: null })
      return 0
    }
    const limitMs = await readSettled(context).then(
      ({ config }) => stopLimitMs(config),
      () => FALLBACK_LIMIT_MS,
    )
    await (args.engine ? stopEngine(context, before, limitMs) : stopAll(context, before, limitMs))
    return 0
  },
})

/** False when no service runs it. */
async function stopByService(context: Context): Promise<boolean> {
  const stopped = await endService(context)
  if (stopped === null) return false
  const again = stopped.scope === 'system' ? 'when the machine starts' : 'when you log in'
  const text = `Stopped: the service. It starts again ${again}, or with: oss20bd start. To remove it: oss20bd uninstall`
  tell(context, text, { stopped: 'service', pid: stopped.pid })
  return true
}

async function stopAll(context: Context, before: Status, limitMs: number): Promise<void> {
  const { pid } = before.daemon
  const signal = AbortSignal.timeout(limitMs)
  await withProgress({ title: 'Stopping', stream: context.stderr }, async (progress) => {
    await askDaemon(context.paths.controlSocket, 'POST', '/shutdown')
    await follow(context, progress, signal, () => false)
    while (!(await isGone(pid))) {
      if (signal.aborted) throw tooSlow(pid, limitMs)
      await systemClock.sleep(POLL_MS)
    }
    return { result: undefined }
  })
  const and = before.engine.pid === null ? ';' : ' and'
  const text = `Stopped: the daemon (pid ${pid})${and} ${engineName(before)}`
  tell(context, text, { stopped: 'daemon', pid })
}

async function stopEngine(context: Context, before: Status, limitMs: number): Promise<void> {
  const signal = AbortSignal.timeout(limitMs)
  await withProgress({ title: 'Stopping the engine', stream: context.stderr }, async (progress) => {
    await askDaemon(context.paths.controlSocket, 'POST', '/stop-engine')
    const down = await follow(context, progress, signal, ({ engine }) => engine.state === 'down')
    if (!down) throw tooSlow(before.daemon.pid, limitMs)
    return { result: undefined }
  })
  const text = `Stopped: ${engineName(before)}; the daemon still holds the port. Start again with: oss20bd start`
  tell(context, text, { stopped: 'engine', pid: before.engine.pid })
}

/** Shows each Status until `enough` (true), or until the daemon goes away or time is up (false). */
async function follow(
  context: Context,
  progress: Progress,
  signal: AbortSignal,
  enough: (status: Status) => boolean,
): Promise<boolean> {
  try {
    for await (const status of watchDaemon(context.paths.controlSocket, signal)) {
      if (enough(status)) return true
      progress.update(null, waitingText(status))
    }
  } catch (error) {
    // Gone before we could look again: that is what we wait for.
    if (!(error instanceof Oss20bdError && error.code === 'daemon-not-running')) throw error
  }
  return false
}

function engineName({ engine }: Status): string {
  return engine.pid === null ? 'no engine was running' : `llama-server (pid ${engine.pid})`
}

function tooSlow(pid: number, limitMs: number): Oss20bdError {
  return new Oss20bdError(
    'timeout',
    `Cannot stop the daemon: pid ${pid} is still there after ${formatDuration(limitMs)}`,
    { hint: `See what it does: oss20bd logs -n 50. To end it at once: kill -9 ${pid}` },
  )
}

function tell(context: Context, text: string, result: Record<string, unknown>): void {
  print(context, context.json ? JSON.stringify(result) : text)
}

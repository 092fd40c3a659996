/** One visit of the doctor: how the system is asked, and what several parts want to know, found out once. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import type { Status } from '../../daemon/control-protocol.ts'
import { type MachineKind, readMachineKind } from '../../host/machine-kind.ts'
import { type MachineFacts, readMachineFacts } from '../../memory/machine-facts.ts'
import { createToolRunner, type RunTool } from '../../run-tool.ts'
import type { Context } from '../command.ts'
import { askIfRunning } from '../control-client.ts'
import { kindHere } from '../find-unit.ts'
import { readSettled } from '../settings.ts'

export interface Visit {
  readonly platform: NodeJS.Platform
  /** The same tool is not run twice at once: the second call waits for the first. */
  readonly runTool: RunTool
  readonly machine: () => Promise<MachineFacts>
  readonly kind: () => Promise<MachineKind>
  /** Rejects as `readFile` does. */
  readonly readText: (path: string) => Promise<string>
  /** Throws `config-invalid`. */
  readonly config: () => Promise<Config>
  /** null when no daemon runs, or none answers: the part of the daemon says which. */
  readonly status: () => Promise<Status | null>
}

/** On macOS the system's own folders, so that nothing on the PATH stands in for a tool. */
const DARWIN_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'

export function visit(context: Context): Visit {
  const platform = kindHere(context) === 'launchd' ? 'darwin' : process.platform
  const path = process.platform === 'darwin' ? DARWIN_PATH : (context.env['PATH'] ?? '')
  const runTool = oneAfterTheOther(
    createToolRunner({ clock: systemClock, environment: { PATH: path } }),
  )
  return {
    platform,
    runTool,
    machine: once(() => readMachineFacts(systemClock)),
    kind: once(() => readMachineKind(platform, { runTool })),
    readText: (file) => readFile(file, 'utf8'),
    config: once(async () => (await readSettled(context)).config),
    status: once(() => askIfRunning(context.paths.controlSocket).catch(() => null)),
  }
}

function oneAfterTheOther(run: RunTool): RunTool {
  const last = new Map<string, Promise<unknown>>()
  return (file, args, limits) => {
    const result = (last.get(file) ?? Promise.resolve()).then(() => run(file, args, limits))
    last.set(file, result)
    return result
  }
}

function once<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let asked: Promise<Value> | undefined
  return () => (asked ??= ask())
}

export function engineFileOf({ paths }: Pick<Context, 'paths'>, { engine }: Config): string {
  return engine.path ?? join(paths.engines, 'current', 'bin', 'llama-server')
}

export function modelFileOf({ paths }: Pick<Context, 'paths'>, { model }: Config): string {
  return model.path ?? join(paths.models, 'current')
}

/** Starts a small program that lives no longer than this process: its stdin ends with us. */
import { type ChildProcess, spawn } from 'node:child_process'
import { errnoOf, messageOf } from '../errors.ts'

export interface HelperCommand {
  readonly file: string
  readonly args: readonly string[]
}

export interface HelperEnd {
  /** `missing`: it cannot be started here at all. */
  readonly kind: 'ended' | 'missing'
  readonly message: string
}

export interface Helper {
  /** Settles once, when it is gone; never rejects. */
  readonly ended: Promise<HelperEnd>
  /** Ends its stdin and sends the signal. Never throws. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

/** What systemd-inhibit needs to find its program and the bus; our own settings stay here. */
const passedOn = ['PATH', 'HOME', 'DBUS_SYSTEM_BUS_ADDRESS', 'XDG_RUNTIME_DIR']

/** Only the beginning of its complaint is kept. */
const keptChars = 300

/** Starts it in our process group, with our pipe as its stdin. Never throws. */
export function spawnHelper(
  command: HelperCommand,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Helper {
  try {
    return startHelper(command, environment)
  } catch (error) {
    // Some failures to start are thrown, most are told by the event.
    const end = { kind: endKind(error), message: messageOf(error) }
    return { ended: Promise.resolve(end), kill: () => undefined }
  }
}

function startHelper(
  { file, args }: HelperCommand,
  environment: Readonly<Record<string, string | undefined>>,
): Helper {
  const env = { LC_ALL: 'C', ...pick(environment, passedOn) }
  const child: ChildProcess = spawn(file, args, { env, stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  const ended = new Promise<HelperEnd>((resolve) => {
    // Listens on: a kill that fails is an event as well.
    child.on('error', (error) => resolve({ kind: endKind(error), message: messageOf(error) }))
    child.once('close', (code, signal) => {
      const how = `${file} ended by itself with ${signal ?? `status ${String(code)}`}`
      const why = said.trim().split('\n')[0] ?? ''
      resolve({ kind: 'ended', message: why === '' ? how : `${how}: ${why}` })
    })
  })
  // Without file descriptors to spare there are no streams, whatever the types say.
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, keptChars)
  })
  // EPIPE after its death: the end tells the story.
  child.stdin?.on('error', () => undefined)
  child.stderr?.on('error', () => undefined)
  return {
    ended,
    kill: (signal) => {
      child.stdin?.end()
      child.kill(signal)
      // A grandchild that stays must not hold the end up.
      if (signal === 'SIGKILL') child.stderr?.destroy()
    },
  }
}

/** Too few files or processes pass; a missing program stays missing. */
function endKind(error: unknown): HelperEnd['kind'] {
  return ['ENOENT', 'EACCES', 'ENOTDIR', 'ENOEXEC'].includes(errnoOf(error) ?? '')
    ? 'missing'
    : 'ended'
}

function pick(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

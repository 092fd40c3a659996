/** Tells the person at the screen what the journal tells, where it matters to them: a window of the desktop. */
import type { Clock } from '../clock.ts'
import type { NewJournalEvent, WriteJournal } from '../journal.ts'
import type { Logger } from '../log.ts'
import { type Helper, type HelperCommand, spawnHelper } from './helper.ts'

export interface Notice {
  readonly title: string
  readonly text: string
}

/** Which troubles the person was told of, and not yet of their end. */
export interface Told {
  readonly failed: boolean
  readonly critical: boolean
}

export interface Decision {
  readonly told: Told
  /** null: nothing to say. */
  readonly notice: Notice | null
}

export const NOTHING_TOLD: Told = { failed: false, critical: false }

const TITLE = 'oss20bd'

/** A window shows little more. */
const MAX_TEXT_LENGTH = 240

/** Which event makes which words: a trouble once, and its end once. Pure. */
export function decideNotice(told: Told, event: NewJournalEvent): Decision {
  const { kind, message, hint = null, facts = {} } = event
  const silent: Decision = { told, notice: null }
  if (kind === 'state' && facts['to'] === 'failed' && !told.failed) {
    const text = hint === null ? message : `${message}. ${hint}`
    return { told: { ...told, failed: true }, notice: noticeOf(text) }
  }
  if (kind === 'state' && facts['to'] === 'ready' && told.failed) {
    const notice = noticeOf('The model answers again')
    return { told: { ...told, failed: false }, notice }
  }
  if (kind === 'engine' && facts['outcome'] === 'rolled-back') {
    return { told, notice: noticeOf(message) }
  }
  if (kind !== 'memory') return silent
  if (facts['level'] === 'critical' && !told.critical) {
    return { told: { ...told, critical: true }, notice: noticeOf(message) }
  }
  if (facts['level'] === 'ok' && told.critical) {
    return { told: { ...told, critical: false }, notice: noticeOf(message) }
  }
  return silent
}

function noticeOf(text: string): Notice {
  const isLong = text.length > MAX_TEXT_LENGTH
  return { title: TITLE, text: isLong ? `${text.slice(0, MAX_TEXT_LENGTH - 1)}…` : text }
}

/**
 * The program that shows it; null where there is none. Pure. The words are arguments of the script on
 * macOS, never part of it; on Linux the text of a notification is markup, so its signs are written out.
 */
export function noticeCommand(
  platform: NodeJS.Platform,
  { title, text }: Notice,
): HelperCommand | null {
  if (platform === 'darwin') {
    const show = 'display notification (item 2 of argv) with title (item 1 of argv)'
    const script = ['-e', 'on run argv', '-e', show, '-e', 'end run']
    return { file: '/usr/bin/osascript', args: [...script, title, text] }
  }
  if (platform !== 'linux') return null
  return { file: 'notify-send', args: ['--app-name=oss20bd', '--', title, markup(text)] }
}

function markup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

export interface NotifierOptions {
  readonly platform: NodeJS.Platform
  /** Whether anything is shown at all. */
  readonly desktop: boolean
  readonly clock: Pick<Clock, 'sleep'>
  readonly log: Pick<Logger, 'debug'>
  readonly spawn?: (command: HelperCommand) => Helper
}

export interface Notifier {
  /** Takes every event of the journal. Returns at once; never throws. */
  readonly tell: WriteJournal
  /** Ends what is still being shown. Never rejects. */
  close(): Promise<void>
}

/** A program that shows a window for longer than this hangs. */
const SHOW_LIMIT_MS = 10_000

export function createNotifier(options: NotifierOptions): Notifier {
  const { platform, desktop, clock, log, spawn = spawnHelper } = options
  const closing = new AbortController()
  const showing = new Set<Promise<void>>()
  let told = NOTHING_TOLD

  async function show(command: HelperCommand): Promise<void> {
    const helper = spawn(command)
    const gone = new AbortController()
    const signal = AbortSignal.any([gone.signal, closing.signal])
    const kill = (): void => {
      if (!gone.signal.aborted) helper.kill('SIGKILL')
    }
    const late = clock.sleep(SHOW_LIMIT_MS, signal).then(kill, kill)
    const { kind, message } = await helper.ended
    gone.abort()
    await late
    if (kind === 'missing') log.debug('Cannot show a notification', { reason: message })
  }

  return {
    tell: (event) => {
      const decision = decideNotice(told, event)
      told = decision.told
      if (decision.notice === null || closing.signal.aborted || !desktop) return
      const command = noticeCommand(platform, decision.notice)
      if (command === null) return
      const shown = show(command)
      showing.add(shown)
      void shown.then(() => showing.delete(shown))
    },
    close: async () => {
      closing.abort()
      await Promise.all(showing)
    },
  }
}

/** Carries out what somebody asked for over the control socket, and writes it down. */
import type { WriteJournal } from '../journal.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { ControlVerb } from './control-protocol.ts'

export interface VerbDoors {
  readonly journal: WriteJournal
  /** Ends the daemon. */
  readonly onShutdown: () => void
}

const asked: Readonly<Record<ControlVerb, string>> = {
  start: 'Asked to start the engine',
  restart: 'Asked to restart the engine',
  'stop-engine': 'Asked to stop the engine and keep the port',
  load: 'Asked to load the model if it is unloaded',
  unload: 'Asked to unload the model until a request comes',
  shutdown: 'Asked to stop',
}

export function carryOut(verb: ControlVerb, supervisor: Supervisor, doors: VerbDoors): void {
  doors.journal({ kind: 'asked', message: asked[verb], facts: { verb } })
  switch (verb) {
    case 'start':
      return supervisor.start()
    case 'restart':
      return supervisor.restart()
    case 'stop-engine':
      return supervisor.stop()
    case 'unload':
      return supervisor.unload('asked')
    case 'load':
      return supervisor.load()
    case 'shutdown':
      return doors.onShutdown()
  }
}

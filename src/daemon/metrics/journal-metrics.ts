/** What happened, as Prometheus counts it: by the journal, which tells all that matters. */
import { Counter, type Registry } from 'prom-client'
import type { NewJournalEvent } from '../../journal.ts'

export type CountEvent = (event: NewJournalEvent) => void

export function createJournalMetrics(registry: Registry): CountEvent {
  const registers = [registry]
  const exits = new Counter({
    name: 'oss20bd_engine_exits_total',
    help: 'Ends of a run of the engine, by cause; "asked" was asked for, all others are deaths',
    labelNames: ['cause'],
    registers,
  })
  const memoryActions = new Counter({
    name: 'oss20bd_memory_actions_total',
    help: 'What was done to keep the machine from running out of memory, by action',
    labelNames: ['action'],
    registers,
  })
  const wakes = new Counter({
    name: 'oss20bd_standstills_total',
    help: 'Times the machine slept or this process could not run for long',
    registers,
  })
  return ({ kind, facts }) => {
    if (kind === 'exit') exits.inc({ cause: String(facts?.['cause'] ?? 'unknown') })
    if (kind === 'memory') memoryActions.inc({ action: String(facts?.['action'] ?? 'other') })
    if (kind === 'wake') wakes.inc()
  }
}

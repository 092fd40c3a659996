/** State, model, engine and memory, as they are now. */
import type { Status } from '../src/daemon/control-protocol.ts'
import { find, make, setText } from './dom.ts'
import { bytes, count, duration, perSecond } from './words.ts'

const word = find('#state-word', HTMLElement)
const detail = find('#state-detail', HTMLElement)
const hint = find('#state-hint', HTMLElement)
const facts = find('#facts', HTMLElement)
const bar = find('#memory-bar', HTMLElement)
const filled = find('#memory-bar span', HTMLElement)
const memoryWords = find('#memory-words', HTMLElement)
const memoryNext = find('#memory-next', HTMLElement)

export function showStatus(status: Status): void {
  const { engine } = status
  setText(word, engine.state)
  word.dataset['is'] = engine.state
  setText(detail, engine.detail)
  setText(hint, engine.hint ?? '')
  document.title = `${engine.state} · oss20bd`
  showFacts(status)
  showMemory(status.memory)
}

function showFacts({ engine, model, daemon, proxy, throughput }: Status): void {
  const exit = engine.lastExit
  const rows: readonly (readonly [string, string])[] = [
    ['Since', `${duration(engine.sinceMs)} in this state`],
    ['Model', model.testModel ? `${model.name} (built-in test model)` : model.name],
    ['File', model.path],
    ['Context', `${count(model.contextTokens)} tokens, ${count(model.slots)} at once`],
    ['Engine', `llama-server ${engine.version ?? 'of unknown version'}, pid ${engine.pid ?? '–'}`],
    ['Restarts', count(engine.restarts)],
    [
      'Last exit',
      exit === null ? 'none' : `${exit.message} (${new Date(exit.at).toLocaleString()})`,
    ],
    ['Port', proxy.url],
    ['Speed', perSecond(throughput.generatedTokensPerSecond)],
    ['Daemon', `${daemon.version}, up ${duration(daemon.uptimeMs)}`],
  ]
  if (facts.childElementCount !== rows.length * 2) {
    facts.replaceChildren(...rows.flatMap(([name]) => [make('dt', name), make('dd')]))
  }
  const values = facts.querySelectorAll('dd')
  for (const [index, [, value]] of rows.entries()) {
    const cell = values[index]
    if (cell !== undefined) setText(cell, value)
  }
}

function showMemory(memory: Status['memory']): void {
  const { budgetBytes, footprintBytes, plannedBytes, availableBytes, level, unknown } = memory
  const share =
    budgetBytes === null || footprintBytes === null ? null : footprintBytes / budgetBytes
  filled.style.width = `${Math.min(1, share ?? 0) * 100}%`
  bar.dataset['is'] = level ?? 'unknown'
  const words = `The engine takes ${bytes(footprintBytes)} of ${bytes(budgetBytes)}; planned ${bytes(plannedBytes)}, available on the machine ${bytes(availableBytes)}`
  bar.setAttribute('aria-label', words)
  setText(memoryWords, words)
  const why = unknown['footprintBytes']
  const more = [
    memory.reason,
    memory.next,
    footprintBytes === null && why !== undefined ? why : null,
  ]
  setText(
    memoryNext,
    [`Level: ${level ?? 'unknown'}`, ...more.filter((text) => text !== null)].join('; '),
  )
}

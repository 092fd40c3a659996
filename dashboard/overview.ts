/** State, model, engine and memory, as they are now. */
import type { Status } from '../src/daemon/control-protocol.ts'
import type { PageVerb } from '../src/daemon/dashboard/feed-protocol.ts'
import { find, make, setText } from './dom.ts'
import { offer } from './session.ts'
import { bytes, count, dayTime, duration, percent, perSecond } from './words.ts'

const word = find('#state-word', HTMLElement)
const detail = find('#state-detail', HTMLElement)
const hint = find('#state-hint', HTMLElement)
const facts = find('#facts', HTMLElement)
const bar = find('#memory-bar', HTMLElement)
const taken = find('#memory-bar .taken', HTMLElement)
const planned = find('#memory-bar .planned', HTMLElement)
const memoryFacts = find('#memory-facts', HTMLElement)
const memoryNext = find('#memory-next', HTMLElement)

export function showStatus(status: Status): void {
  const { engine } = status
  setText(word, engine.state)
  word.dataset['is'] = engine.state
  setText(detail, engine.detail)
  setText(hint, engine.hint ?? '')
  offer(verbsOf(status))
  document.title = `${engine.state} · oss20bd`
  showFacts(status)
  showMemory(status.memory)
}

function showFacts({ engine, model, daemon, proxy, throughput }: Status): void {
  const exit = engine.lastExit
  const rows: Rows = [
    ['Since', `${duration(engine.sinceMs)} in this state`],
    ['Model', model.testModel ? `${model.name} (built-in test model)` : model.name],
    ['File', within(daemon.home, model.path)],
    ['Context', `${count(model.contextTokens)} tokens, ${count(model.slots)} at once`],
    ['Engine', `llama-server ${engine.version ?? 'of unknown version'}, pid ${engine.pid ?? '–'}`],
    ['Restarts', count(engine.restarts)],
    [
      'Last exit',
      exit === null ? 'none' : `${exit.message} (${dayTime(Date.parse(exit.at), Date.now())})`,
    ],
    ['Port', proxy.url],
    ['Speed', perSecond(throughput.generatedTokensPerSecond)],
    ['Daemon', `${daemon.version}, up ${duration(daemon.uptimeMs)}`],
  ]
  showRows(facts, rows)
}

/** Where it lies is short to tell when it lies with us. */
function within(home: string, path: string): string {
  return path.startsWith(`${home}/`) ? path.slice(home.length + 1) : path
}

type Rows = readonly (readonly [name: string, value: string])[]

function showRows(list: HTMLElement, rows: Rows): void {
  if (list.childElementCount !== rows.length * 2) {
    list.replaceChildren(...rows.flatMap(([name]) => [make('dt', name), make('dd')]))
  }
  const values = list.querySelectorAll('dd')
  for (const [index, [, value]] of rows.entries()) {
    const cell = values[index]
    if (cell !== undefined) setText(cell, value)
  }
}

/** What may be asked of the engine as it is. */
function verbsOf({ wanted, engine }: Status): readonly PageVerb[] {
  if (wanted === 'down') return ['start']
  if (engine.state === 'asleep') return ['load', 'restart']
  return ['restart', 'unload']
}

function showMemory(memory: Status['memory']): void {
  const { budgetBytes, footprintBytes, plannedBytes, availableBytes, level, unknown } = memory
  const share = (part: number | null): number =>
    budgetBytes === null || part === null ? 0 : Math.min(1, part / budgetBytes)
  taken.style.width = `${share(footprintBytes) * 100}%`
  planned.style.width = `${share(plannedBytes) * 100}%`
  bar.dataset['is'] = level ?? 'unknown'
  bar.setAttribute(
    'aria-label',
    `The engine takes ${bytes(footprintBytes)} of a budget of ${bytes(budgetBytes)}`,
  )
  const isKnown = budgetBytes !== null && footprintBytes !== null
  showRows(memoryFacts, [
    ['Taken', `${bytes(footprintBytes)}${isKnown ? ` (${percent(share(footprintBytes))})` : ''}`],
    ['Planned', bytes(plannedBytes)],
    ['Budget', bytes(budgetBytes)],
    ['Free', `${bytes(availableBytes)} on the machine`],
    ['Level', level ?? 'unknown'],
  ])
  const why = footprintBytes === null ? unknown['footprintBytes'] : undefined
  const more = [memory.reason, memory.next, why].filter((text) => text != null)
  setText(memoryNext, more.join('; '))
}

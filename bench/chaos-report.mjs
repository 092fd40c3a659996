/** The account of a part in lines for people, and what in it is off. Pure. */
import { quantile } from './numbers.mjs'

/** As many of those that are off are told one by one. */
const MOST_TOLD = 20

/** `scenes` are `{ variant, account, counts, totals, journal }`. */
export function reportOf(name, scenes, seconds) {
  const entries = scenes.flatMap(({ account }) => account.ended)
  const kills = scenes.reduce((sum, { account }) => sum + account.deaths, 0)
  const lines = ['', `${name}: ${kills} deaths, ${entries.length} requests, ${seconds} s`]
  const signals = new Map()
  for (const { counts } of scenes) {
    for (const [what, count] of counts) signals.set(what, (signals.get(what) ?? 0) + count)
  }
  lines.push(`  ${[...signals].map(([what, count]) => `${what} ${count}`).join(', ')}`)
  const sum = (key) => scenes.reduce((all, { totals }) => all + totals[key], 0)
  lines.push(`  the daemon: sent again ${sum('replays')}, went on ${sum('continuations')}`, '')
  lines.push(...table(entries), '')
  const off = entries.filter(({ verdict }) => verdict === 'off')
  for (const { kind, tokens, cuts, why, at } of off.slice(0, MOST_TOLD)) {
    lines.push(`OFF ${at} ${kind.variant} ${kind.name}, ${tokens} tokens, ${cuts} cuts: ${why}`)
  }
  const faults = scenes.flatMap(sceneFaults)
  for (const fault of faults) lines.push(`OFF ${fault}`)
  return { lines, faults: off.length + faults.length }
}

function table(entries) {
  const rows = new Map()
  for (const entry of entries) {
    const key = entry.kind.name
    if (!rows.has(key)) rows.set(key, [])
    rows.get(key).push(entry)
  }
  const named = [...rows].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const cells = [
    ['', 'asked', 'whole', 'hit', 'went on', 'twice', 'unseen', 'broken', 'off', 'worst gap'],
    ...named.map(([key, all]) => [key, ...countsOf(all)]),
    ['all', ...countsOf(entries)],
  ]
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)))
  return cells.map(
    (row) =>
      `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join('  ')}`,
  )
}

/** `hit`: open when an engine died. `unseen`: hit and whole, waiting for the next engine or sent again to it. */
function countsOf(entries) {
  const count = (isSo) => String(entries.filter(isSo).length)
  const gaps = entries.map(({ outcome }) => outcome.silenceMs)
  return [
    String(entries.length),
    count(({ verdict }) => verdict === 'whole'),
    count(({ cuts }) => cuts > 0),
    count(({ continuations }) => continuations === 1),
    count(({ continuations }) => continuations === 2),
    count((e) => e.cuts > 0 && e.verdict === 'whole' && e.continuations === 0),
    count(({ verdict }) => verdict === 'broken'),
    count(({ verdict }) => verdict === 'off'),
    `${(quantile(gaps, 1) / 1000).toFixed(1)} s`,
  ]
}

/** What only the whole shows: a request that nobody answers for, a death that we did not cause. */
function sceneFaults({ variant, account, totals, journal }) {
  const faults = []
  const expect = (what, got, wanted) => {
    if (got !== wanted) faults.push(`${variant}: ${what}: ${got} and not ${wanted}`)
  }
  const { ended, sent, deaths, strangeDeaths } = account
  const withVerdict = (verdict) => ended.filter((entry) => entry.verdict === verdict).length
  const exits = journal.filter(({ kind }) => kind === 'exit').length
  expect('requests that are over', ended.length, sent)
  expect('requests open at the daemon', totals.open, 0)
  expect('requests over at the daemon', totals.ended, sent)
  // What is off for its client may well be an answer for the daemon.
  const answered = withVerdict('whole') + withVerdict('off')
  expect('answered, says the daemon', totals.byOutcome.answered, answered)
  expect('broken, says the daemon', totals.byOutcome.broken, withVerdict('broken'))
  const others = totals.ended - totals.byOutcome.answered - totals.byOutcome.broken
  expect('neither, says the daemon', others, 0)
  const continuations = ended.reduce((sum, entry) => sum + entry.continuations, 0)
  expect('continuations, says the daemon', totals.continuations, continuations)
  expect('deaths in the journal', exits, deaths)
  expect('deaths that were not ours', strangeDeaths.length, 0)
  const daemons = journal.filter(({ kind }) => kind.startsWith('daemon-')).map(({ kind }) => kind)
  expect('the daemon', daemons.join(' '), 'daemon-started')
  return faults
}

/** Says where the time of a .cpuprofile went. By itself: `node bench/cpu-profile.mjs FILE [ROWS]`. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The functions with most time of their own: name, place, ms, and that of all they called. */
export function summarize(profile, rows = 15) {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const own = new Map()
  for (const [index, id] of profile.samples.entries())
    own.set(id, (own.get(id) ?? 0) + profile.timeDeltas[index] / 1000)
  const total = new Map()
  const totalOf = (node) => {
    const children = (node.children ?? []).map((id) => totalOf(nodes.get(id)))
    const ms = (own.get(node.id) ?? 0) + children.reduce((sum, child) => sum + child, 0)
    total.set(node.id, ms)
    return ms
  }
  totalOf(profile.nodes[0])
  const byFunction = new Map()
  for (const node of nodes.values()) {
    const { functionName, url, lineNumber } = node.callFrame
    const place = url === '' ? '' : `${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`
    const key = `${functionName === '' ? '(anonymous)' : functionName} ${place}`
    const row = byFunction.get(key) ?? { ownMs: 0, totalMs: 0 }
    row.ownMs += own.get(node.id) ?? 0
    row.totalMs += total.get(node.id)
    byFunction.set(key, row)
  }
  const idle = new Set(['(idle) ', '(program) '])
  return [...byFunction]
    .map(([name, row]) => ({ name, ...row }))
    .filter(({ name }) => !idle.has(name))
    .toSorted((a, b) => b.ownMs - a.ownMs)
    .slice(0, rows)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, rows] = process.argv.slice(2)
  console.log(basename(file))
  for (const { name, ownMs, totalMs } of summarize(
    JSON.parse(readFileSync(file, 'utf8')),
    Number(rows ?? 25),
  ))
    console.log(
      `${ownMs.toFixed(1).padStart(9)} ms own ${totalMs.toFixed(1).padStart(9)} ms all  ${name}`,
    )
}

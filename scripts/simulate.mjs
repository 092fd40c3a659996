/**
 * `npm run simulate [-- FILE...]`: lets the memory policy live through bad hours, prints what it did and
 * draws it. Without files: the five traces of scripts/simulate/traces.mjs, drawn into docs/headroom/.
 * A file holds one MemoryReading a line, as JSON; its picture is put beside it.
 */
import fs from 'node:fs'
import path from 'node:path'
import { prepare, root } from './bootstrap.mjs'
import { parseRecording } from './simulate/machine.mjs'
import { renderPlot } from './simulate/plot.mjs'
import { runRecording, runTrace } from './simulate/run-trace.mjs'
import { renderTable } from './simulate/table.mjs'
import { TRACES } from './simulate/traces.mjs'

await prepare({ steps: 2 })
const policy = await loadPolicy()
const files = process.argv.slice(2)
if (files.length === 0) simulateTraces()
else files.forEach(simulateFile)

function simulateTraces() {
  const folder = path.join(root, 'docs', 'headroom')
  fs.mkdirSync(folder, { recursive: true })
  for (const trace of TRACES) show(runTrace(trace, policy), path.join(folder, `${trace.name}.svg`))
}

function simulateFile(file) {
  const name = path.basename(file)
  const rows = readRecording(file)
  if (rows === null) process.exitCode = 1
  else show(runRecording({ name, title: `Recorded: ${name}`, rows }, policy), `${file}.svg`)
}

function readRecording(file) {
  try {
    return parseRecording(fs.readFileSync(file, 'utf8'))
  } catch (error) {
    console.error(
      `Cannot replay ${file}: ${error.message}; it must hold one reading per line, as JSON`,
    )
    return null
  }
}

function show(run, file) {
  fs.writeFileSync(file, renderPlot(run))
  console.log(renderTable(run))
  console.log(`  drawn: ${path.relative(process.cwd(), file)}\n`)
}

/** The policy as it ships, with the default settings, on a machine that swaps to files. */
async function loadPolicy() {
  const { advanceHeadroom, initialHeadroom } = await import('../dist/memory/headroom-policy.js')
  const { loadConfig } = await import('../dist/config/load-config.js')
  const nothing = Object.assign(new Error('none'), { code: 'ENOENT' })
  const loaded = await loadConfig({
    file: 'config.toml',
    env: {},
    flags: {},
    readFile: () => Promise.reject(nothing),
  })
  const settings = { ...loaded.config.memory, swapFilesGrow: true }
  return { advance: advanceHeadroom, initial: initialHeadroom, settings }
}

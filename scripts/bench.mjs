/** `npm run bench`: prepares everything, then measures with bench/bench.mjs. */
import path from 'node:path'
import { prepare, root } from './bootstrap.mjs'
import { runAttached } from './child.mjs'
import { withTestEngine } from './test-engine.mjs'

const STEPS = 3

await prepare({ steps: STEPS })
const env = await withTestEngine({ step: STEPS, steps: STEPS })
const bench = path.join(root, 'bench', 'bench.mjs')
process.exitCode = await runAttached(process.execPath, [bench, ...process.argv.slice(2)], {
  cwd: root,
  env,
})

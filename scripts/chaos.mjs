/** `npm run chaos`: prepares everything, then kills the engine under load with bench/chaos.mjs. */
import path from 'node:path'
import { prepare, root } from './bootstrap.mjs'
import { runAttached } from './child.mjs'
import { withTestEngine } from './test-engine.mjs'

const STEPS = 3

await prepare({ steps: STEPS })
const env = await withTestEngine({ step: STEPS, steps: STEPS })
const chaos = path.join(root, 'bench', 'chaos.mjs')
process.exitCode = await runAttached(process.execPath, [chaos, ...process.argv.slice(2)], {
  cwd: root,
  env,
})

/** `npm start`, `npm stop`, `npm restart`: prepares the checkout, then runs oss20bd with these arguments. */
import path from 'node:path'
import { prepare, root } from './bootstrap.mjs'
import { runAttached } from './child.mjs'

await prepare()
process.exitCode = await runAttached(process.execPath, [
  path.join(root, 'bin', 'oss20bd'),
  ...process.argv.slice(2),
])

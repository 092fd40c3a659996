/** `oss20bd build`: compiles llama-server and makes it the current engine. */
import { basename } from 'node:path'
import { putInUse } from '../../engine-trial.ts'
import { Oss20bdError } from '../../errors.ts'
import { buildEngine } from '../build-engine.ts'
import { defineCommand, print, say } from '../command.ts'
import { withProgress } from '../progress.ts'

export const command = defineCommand({
  options: {
    git: {
      type: 'string',
      conflicts: 'source',
      describe: 'From upstream: a tag, branch or commit (the pinned release unless given)',
    },
    source: { type: 'string', requiresArg: true, describe: 'From a llama.cpp source folder' },
    jobs: { type: 'number', alias: 'j', requiresArg: true, describe: 'Compile N files at once' },
    'cpu-only': { type: 'boolean', default: false, describe: 'Leave Metal out on macOS' },
  },
  async run({ git, source, jobs, 'cpu-only': cpuOnly }, context) {
    if (jobs !== undefined && !(Number.isInteger(jobs) && jobs > 0)) {
      throw new Oss20bdError('usage', 'Cannot use --jobs: it must be a whole number above 0', {
        hint: 'For example: oss20bd build --jobs 4',
      })
    }
    const title = 'Building llama-server'
    const built = await withProgress({ title, stream: context.stderr }, async (progress) => {
      const result = await buildEngine(
        context,
        { git, source, jobs, cpuOnly, beside: true },
        progress,
      )
      return { result, note: result.note }
    })
    const begunAt = new Date().toISOString()
    const choice = { begunAt, earlierTokensPerSecond: null }
    const trial = await putInUse(context.paths.engines, basename(built.folder), choice)
    if (context.json) print(context, JSON.stringify({ engine: built.folder }))
    else print(context, `Engine: ${built.folder}`)
    say(context, 'A running engine is used until: oss20bd restart')
    if (trial?.outcome === 'running') say(context, `Back to ${trial.earlier}: oss20bd rollback`)
    return 0
  },
})

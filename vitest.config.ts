import { defineConfig } from 'vitest/config'

/** In CI a test of real processes is tried once more: the machine is shared. `npm test` names each that needed it. */
const retry = process.env['CI'] === undefined ? 0 : 1

/**
 * `unit` mirrors src/ and takes seconds. `process` starts real children (the puppet engine, the built
 * CLI); `engine` needs the compiled llama-server. Those two run one file at a time: two cores are few.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 30_000 } },
      {
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          fileParallelism: false,
          retry,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'engine',
          include: ['test/engine/**/*.test.ts'],
          fileParallelism: false,
          retry,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

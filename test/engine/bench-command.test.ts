/** `oss20bd bench` against the real engine with the test model. */
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { daemonScene } from '../helpers/daemon-scene.ts'
import { testEngineFolder, testModelFile } from '../helpers/test-engine.ts'

const speed = expect.any(Number)

test('bench measures the port and the engine, keeps the run, and compares the next one with it', async ({
  onTestFinished,
}) => {
  const modelFile = await testModelFile()
  const scene = await daemonScene({
    onTestFinished,
    config: {
      'engine.path': join(testEngineFolder(), 'bin', 'llama-server'),
      'model.contextTokens': 2048,
      'model.slots': 2,
    },
    prepare: async (home) => {
      await mkdir(home.file('models'))
      await symlink(modelFile, home.file('models', 'current'))
    },
  })
  const svg = scene.home.file('plot.svg')
  const plan = ['--depth', '200', '--depth', '800', '--parallel', '1', '--parallel', '2']
  const short = ['--rounds', '1', '--generate', '32']
  const first = await scene.oss20bd('bench', '--json', '--svg', svg, ...plan, ...short)
  expect(first).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('Plot: ') })
  const run = JSON.parse(first.stdout)
  const firstToken = { coldMs: speed, warmMs: speed, directColdMs: speed, directWarmMs: speed }
  const depth = { promptPerSecond: speed, generatedPerSecond: speed, firstToken }
  expect(run).toMatchObject({
    model: { name: 'gpt-oss-20b', testModel: true },
    contextTokens: 2048,
    slots: 2,
    depths: [
      { askedTokens: 200, ...depth },
      { askedTokens: 800, ...depth },
    ],
    parallel: [
      { requests: 1, generatedPerSecond: speed },
      { requests: 2, generatedPerSecond: speed },
    ],
    memory: { peakFootprintBytes: speed, leastAvailableBytes: speed },
    expected: { published: null, depths: [{ bytesPerToken: { totalBytes: speed } }, {}] },
    comparison: null,
  })
  // The test model has other words than the real one; its prompts are measured, not guessed.
  expect(run.depths[1].depthTokens).toBeGreaterThan(720)
  expect(run.depths[1].depthTokens).toBeLessThan(880)
  expect(await readFile(svg, 'utf8')).toContain('<svg ')

  // As if the engine of before had been a hundred times as fast.
  const kept = JSON.parse(await readFile(scene.home.file('bench.jsonl'), 'utf8'))
  for (const measured of kept.depths) measured.generatedPerSecond *= 100
  await writeFile(scene.home.file('bench.jsonl'), `${JSON.stringify(kept)}\n`)
  const second = await scene.oss20bd('bench', ...plan, ...short)
  expect(second).toMatchObject({ exitCode: 0 })
  expect(second.stdout).toMatch(/Slower than the run of .* UTC \(engine 0\.5\.0, oss20bd/u)
  expect(second.stdout).toMatch(/generation behind 800 tokens: .* was .* \(-(?:9\d|100) %\)/u)
  const history = await readFile(scene.home.file('bench.jsonl'), 'utf8')
  expect(history.trimEnd().split('\n')).toHaveLength(2)
  expect(history).not.toMatch(/prompt"|time year/u)

  await rename(scene.home.file('bench.jsonl'), scene.home.file('moved.jsonl'))
  await mkdir(scene.home.file('bench.jsonl'))
  const unkept = await scene.oss20bd('bench', '--depth', '200', '--parallel', '1', ...short)
  expect(unkept).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('WRITE/S') })
  expect(unkept.stderr).toContain('Cannot keep this run for later comparison')

  const tooLong = await scene.oss20bd('bench', '--depth', '5000')
  expect(tooLong).toMatchObject({ exitCode: 2 })
  expect(tooLong.stderr).toContain('no prompt fits')
})

/** Pulls one model from a stand-in for a hub into a folder of the test's own. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { systemClock } from '../../src/clock.ts'
import type { ExpectedFile } from '../../src/model/catalog.ts'
import {
  type PullOptions,
  type PullProgress,
  pullModel,
  type Pulled,
} from '../../src/model/pull.ts'
import { buildTestModel } from '../../src/model/test-model.ts'
import { type Hub, type HubCall, sha256Of, startHub } from '../stand-ins/hub.ts'
import { tempDir, type TempDir } from './temp-dir.ts'

export const SEGMENT_BYTES = 512 * 1024

/** A model that loads, then bytes of which no two places are alike: nothing may come to a wrong place. */
export function makeModel(bytes = 3_000_000): Buffer {
  const model = buildTestModel({ template: 'x' })
  return Buffer.concat([model, randomBytes(bytes - model.length)])
}

export const model = makeModel()

export function expectedOf(bytes: Buffer): ExpectedFile {
  return { bytes: bytes.length, sha256: sha256Of(bytes) }
}

export interface PullRig extends AsyncDisposable {
  readonly hub: Hub
  readonly dir: TempDir
  readonly destination: string
  readonly part: string
  readonly logged: string[]
  readonly progress: PullProgress[]
  pull(change?: Partial<PullOptions>): Promise<Pulled>
  /** `content` is in place, and nothing else is left. */
  inPlace(content?: Buffer): Promise<boolean>
}

export async function pullRig(
  answer: (call: HubCall) => void,
  content: Buffer = model,
): Promise<PullRig> {
  const dir = await tempDir()
  const hub = await startHub(content, answer)
  const destination = dir.file('models', 'model.gguf')
  const part = `${destination}.part`
  const logged: string[] = []
  const progress: PullProgress[] = []
  const record = (message: string, fields?: object): void =>
    void logged.push(`${message} ${JSON.stringify(fields)}`)
  return {
    hub,
    dir,
    destination,
    part,
    logged,
    progress,
    pull: ({ limits, ...change } = {}) =>
      pullModel({
        url: `${hub.origin}/model.gguf`,
        token: null,
        tokenOrigin: hub.origin,
        destination,
        expected: [expectedOf(content)],
        onProgress: (now) => void progress.push(now),
        signal: AbortSignal.timeout(30_000),
        clock: systemClock,
        log: { info: record, warn: record },
        limits: {
          connections: 3,
          segmentBytes: SEGMENT_BYTES,
          stallMs: 5000,
          retries: 2,
          firstRetryDelayMs: 5,
          tickMs: 10,
          saveMs: 20,
          ...limits,
        },
        ...change,
      }),
    inPlace: async (wanted = content) =>
      (await readFile(destination)).equals(wanted) &&
      !existsSync(part) &&
      !existsSync(`${part}.json`) &&
      !existsSync(`${part}.lock`),
    [Symbol.asyncDispose]: async () => {
      await hub[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

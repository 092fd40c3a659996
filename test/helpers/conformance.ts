/** The real daemon for clients, the same engine without it, and what can be compared of both answers. */
import { once } from 'node:events'
import { copyFile, mkdir } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import type { TestModelVariant } from '../../src/model/test-vocabulary.ts'
import { type DaemonScene, daemonScene } from './daemon-scene.ts'
import { testEngineFolder, testModelFile } from './test-engine.ts'

export interface ClientScene extends AsyncDisposable {
  readonly daemon: DaemonScene
  readonly portUrl: string
  /** A plain forwarder to the engine's own socket. */
  readonly engineUrl: string
  /** How many of the engine's slots are at work, as the engine itself says. */
  busySlots(): Promise<number>
  /** Resolves when the engine is ready, to what sends a signal to it. */
  ready(): Promise<(signal: NodeJS.Signals) => void>
}

const addressSchema = z.object({ port: z.number() })
const slotsSchema = z.array(z.looseObject({ is_processing: z.boolean() }))

/** An engine may die here as often as it takes, and comes back at once; one thread, for there are others. */
const fixedConfig = {
  'engine.extraArgs': ['-t', '1'],
  'engine.path': join(testEngineFolder(), 'bin', 'llama-server'),
  'model.contextTokens': 16_384,
  'model.slots': 4,
  'restart.baseDelay': '0s',
  'restart.maxDelay': '0s',
  'restart.safeModeAfter': 1000,
}

/** Resolves when the engine is ready. */
export async function clientScene(
  variant: TestModelVariant | null,
  config: Readonly<Record<string, unknown>> = {},
): Promise<ClientScene> {
  const ends: (() => unknown)[] = []
  const daemon = await daemonScene({
    onTestFinished: (handler) => {
      ends.unshift(() => Reflect.apply(handler, undefined, []))
    },
    config: { ...fixedConfig, ...config },
    prepare: async (home) => {
      await mkdir(home.file('models'))
      const model = await testModelFile(variant === null ? {} : { variant })
      await copyFile(model, home.file('models', 'current'))
    },
  })
  await daemon.untilReady()
  const forwarder = await startForwarder(daemon.home.file('run', 'engine.sock'))
  let killed: number | null = null
  return {
    daemon,
    portUrl: daemon.url,
    engineUrl: forwarder.url,
    busySlots: async () => {
      const response = await fetch(`${forwarder.url}/slots`)
      const slots = slotsSchema.parse(await response.json())
      return slots.filter((slot) => slot.is_processing).length
    },
    ready: async () => {
      const pid = (await daemon.untilReady(killed)).engine.pid ?? 0
      return (signal) => {
        killed = pid
        process.kill(pid, signal)
      }
    },
    [Symbol.asyncDispose]: async () => {
      forwarder.close()
      for (const end of ends) await end()
    },
  }
}

/** For clients that cannot speak over a unix socket. */
async function startForwarder(socketPath: string): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const engine = connect(socketPath)
    for (const [from, to] of [
      [client, engine],
      [engine, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.once('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = addressSchema.parse(server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** One answer as it came over the wire, without what differs from one request to the next. */
interface WireAnswer {
  readonly status: number
  readonly contentType: string | null
  readonly body: readonly unknown[]
}

/** A `fetch` for client libraries that keeps what was answered. */
export function recordingFetch(): { fetch: typeof fetch; answers(): Promise<WireAnswer[]> } {
  const answers: Promise<WireAnswer>[] = []
  return {
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      answers.push(wireAnswer(response.clone()))
      return response
    },
    answers: () => Promise.all(answers),
  }
}

async function wireAnswer(response: Response): Promise<WireAnswer> {
  const contentType = response.headers.get('content-type')
  const text = await response.text()
  const alike = createLikener()
  const body =
    contentType?.startsWith('text/event-stream') === true
      ? text.split('\n\n').map((event) => event.split('\n').map((line) => likeLine(line, alike)))
      : [alike(JSON.parse(text))]
  return { status: response.status, contentType, body }
}

function likeLine(line: string, alike: (value: unknown) => unknown): unknown {
  return line.startsWith('data: {') ? { data: alike(JSON.parse(line.slice(6))) } : line
}

const names = new Set(['id', 'item_id', 'call_id', 'response_id', 'toolCallId'])
const times = new Set(['created', 'created_at', 'completed_at'])
const cached = new Set(['cached_tokens', 'cache_read_input_tokens'])

/**
 * Makes two answers to one request alike: names become their number of first appearance, times and
 * speeds go, and what the engine still knew of the prompt counts as prompt.
 */
export function createLikener(): (value: unknown) => unknown {
  const known = new Map<unknown, string>()
  const nameOf = (value: unknown): unknown => {
    if (typeof value !== 'string' || value === '') return value
    if (!known.has(value)) known.set(value, `name ${known.size + 1}`)
    return known.get(value)
  }
  const alike = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(alike)
    if (typeof value !== 'object' || value === null) return value
    const all = new Map(Object.entries(value))
    const isUsage = all.has('cache_read_input_tokens') && all.has('input_tokens')
    const likes = [...all].map(([key, of]): [string, unknown] => {
      if (names.has(key)) return [key, nameOf(of)]
      if (times.has(key)) return [key, typeof of]
      if (cached.has(key)) return [key, typeof of]
      if (key === 'timings') return [key, sumsOf(of)]
      if (isUsage && key === 'input_tokens') {
        return [key, Number(of) + Number(all.get('cache_read_input_tokens'))]
      }
      return [key, alike(of)]
    })
    return Object.fromEntries(likes)
  }
  return alike
}

function sumsOf(timings: unknown): unknown {
  const all = new Map(Object.entries(Object(timings)))
  return {
    members: [...all.keys()],
    prompt: Number(all.get('prompt_n')) + Number(all.get('cache_n')),
    generated: all.get('predicted_n'),
  }
}

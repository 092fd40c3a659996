/** What an app must know of the port. */
import { join } from 'node:path'
import { readTokens, TOKENS } from '../../token-files.ts'
import type { Context } from '../command.ts'
import { askIfRunning } from '../control-client.ts'
import { readSettled } from '../settings.ts'

export interface PortFacts {
  /** Without `/v1`: `http://127.0.0.1:8020`. */
  readonly url: string
  /** Further ports that answer the same, as the config has them. */
  readonly alsoAt: readonly number[]
  readonly model: string
  /** Of one conversation; null when only a running engine knows. */
  readonly contextTokens: number | null
  /** The port lets nobody in without a token. */
  readonly needsToken: boolean
}

/** Put where an app wants a key although the port wants none. */
const ANY_KEY = 'oss20bd'
/** Where the person puts a token: we never see one, so we never show one. */
export const KEY_PLACE = 'YOUR_TOKEN'

/** What is told to an app that must have a number, when only a running engine knows it. */
const usualContextTokens = 32_768

export function contextOf({ contextTokens }: PortFacts): number {
  return contextTokens ?? usualContextTokens
}

export function keyOf({ needsToken }: PortFacts): string {
  return needsToken ? KEY_PLACE : ANY_KEY
}

/** From the daemon that runs, else from the config. Throws `config-invalid`. */
export async function readPortFacts(context: Context): Promise<PortFacts> {
  const needsToken = readTokens(join(context.paths.home, TOKENS)).length > 0
  const status = await askIfRunning(context.paths.controlSocket)
  if (status !== null) {
    const { name, contextTokens } = status.model
    const { url, alsoListening } = status.proxy
    const alsoAt = alsoListening.filter(({ isOpen }) => isOpen).map(({ port }) => port)
    return { url, alsoAt, model: name, contextTokens, needsToken }
  }
  const { proxy, model } = (await readSettled(context)).config
  // An address that means "all of mine" is none that an app can ask.
  const host = ['0.0.0.0', '::'].includes(proxy.host) ? '127.0.0.1' : proxy.host
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${proxy.port}`
  return { url, alsoAt: proxy.alsoListen, model: model.alias, contextTokens: null, needsToken }
}

/** Which apps look for a server there by themselves. */
const habits: Readonly<Record<number, string>> = {
  1234: 'as LM Studio does',
  8080: 'as llama-server does',
  11434: 'as Ollama does, its OpenAI API only',
}

/** What an app that cannot be told a port may find, in words for a person. Pure. */
export function alsoAtNote({ alsoAt }: Pick<PortFacts, 'alsoAt'>): string {
  if (alsoAt.length === 0) {
    return 'For an app that only looks where another server would be: set proxy.alsoListen = [1234, 8080, 11434] in the config'
  }
  const ports = alsoAt.map((port) => {
    const habit = habits[port]
    return habit === undefined ? String(port) : `${port} (${habit})`
  })
  return `The same is answered at the ports ${ports.join(', ')}`
}

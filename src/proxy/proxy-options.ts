/** What the public port is given. Types only. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { RequestLog } from './accounting/request-log.ts'
import type { ModelNames } from './aliases.ts'
import type { FindPortHolder } from './listen.ts'
import type { TokenCheck } from './tokens.ts'
import type { TryDoors } from './tries.ts'
import type { UpstreamSource } from './upstream.ts'

export interface ProxyServerOptions {
  /** A loopback address, unless tokens keep others out. */
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  readonly names: ModelNames
  readonly tokens: TokenCheck
  /** How long a request waits for an engine that shows no progress. */
  readonly holdTimeoutMs: number
  readonly continueStreams: boolean
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly limits: ProxyLimits
  readonly upstream: UpstreamSource
  readonly requests: RequestLog
  readonly page: ServePage
  readonly isGuest: IsGuest
  /** Told of each whole answer of the engine. */
  readonly onAnswer: TryDoors['onAnswer']
  /** Told when the first request goes to the engine, and when the last is over. */
  readonly onBusy: (isBusy: boolean) => void
  readonly clock: Pick<Clock, 'monotonicMs' | 'sleep'>
  readonly log: Logger
  readonly findPortHolder: FindPortHolder
}

/**
 * Whether a request without a token is let in all the same: it asks for the dashboard's page, or comes from it with a
 * session. `path` is decoded, and Host and Origin were found right.
 */
export type IsGuest = (path: string, req: Pick<IncomingMessage, 'method' | 'headers'>) => boolean

/**
 * Answers what is kept for the daemon itself: `/metrics` and all below `/oss20bd/`. `path` is decoded, Host and Origin
 * were found right, and so was the token, or it is a guest. False = nothing is there, and nothing was sent.
 */
export type ServePage = (path: string, req: IncomingMessage, res: ServerResponse) => boolean

interface ProxyLimits {
  /** A larger body is passed on without being kept, and cannot be sent again. */
  readonly keepBytes: number
  /** What all requests together may keep. */
  readonly heldBytes: number
  /** A larger body is refused. */
  readonly bodyBytes: number
  /** The longest pause within an upload. */
  readonly uploadTimeoutMs: number
  /** The longest time for the head of a request. */
  readonly headersTimeoutMs: number
  readonly queued: number
  readonly connections: number
}

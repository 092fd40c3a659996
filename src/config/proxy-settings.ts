/** The settings of the public port: what is allowed, and each default with the reason. Pure. */
import { z } from 'zod'
import { boolean, bytes, duration, integer, list, type Setting, text } from './setting.ts'

/** In the environment and in flags a list is one of texts. */
const portNumber = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number),
  ])
  .pipe(z.int().min(1).max(65_535))

export const PROXY_SETTINGS = {
  'proxy.host': text(z.string().regex(/^[\w.:-]+$/), 'an IP address or a host name', {
    default: '127.0.0.1',
    reason: 'only this machine can reach it',
    description: 'The address that the public port listens on',
  }),
  'proxy.port': integer(0, 65_535, {
    default: 8020,
    reason: 'not used by other well-known model servers',
    description: 'The public port; 0 takes any free one',
  }),
  'proxy.alsoListen': {
    kind: 'list',
    schema: z.array(portNumber),
    allowed: 'a list of port numbers from 1 to 65535, as [1234, 8080, 11434]',
    default: [],
    reason: 'those ports belong to other model servers, which you may want to start',
    description:
      'Further ports where apps look for a model by habit; one that is taken harms nothing',
  } satisfies Setting<readonly number[]>,
  'proxy.holdTimeout': duration('0s', {
    default: '120s',
    reason: 'covers a restart with a load from a slow disk; load progress renews it',
    description: 'How long a request is held while the engine starts or restarts',
  }),
  'proxy.allowedHosts': list(
    z.string().regex(/^[\w.:[\]-]+$/),
    'a list of host names, as "mac.local"',
    {
      default: [],
      reason: 'loopback names are always allowed; any other could be a DNS rebinding attack',
      description: 'Further names that a request may have in its Host header',
    },
  ),
  'proxy.allowedOrigins': list(
    z.string().regex(/^[a-z][\w+.-]*:\/\/[^/\s]+$/i),
    'a list of origins, as "https://chat.example.org"',
    {
      default: [],
      reason: 'a web page you happen to visit must not talk to your model',
      description: 'Web origins, beside loopback ones, that may call the public port',
    },
  ),
  'proxy.aliases': list(
    z.string().regex(/^[\w./:-]+(?:=(?:low|medium|high))?$/),
    'a list as ["fast=low", "gpt-4o"]',
    {
      default: [],
      reason:
        'the model and its three efforts have names already: gpt-oss-20b, gpt-oss-20b:low ...',
      description: 'Further names of the model; NAME=low, =medium or =high also sets the effort',
    },
  ),
  'proxy.continueStreams': boolean({
    default: true,
    reason: 'a stream that goes on where it was cut is what an app would do itself, if it could',
    description: 'Whether a stream goes on, where that is exact, after its engine died',
  }),
  'proxy.maxQueued': integer(0, 100_000, {
    default: 100,
    reason: 'at a minute each more would wait for hours',
    description:
      'How many requests may wait for their turn; over it they are told when to come back',
  }),
  'proxy.keepSize': bytes('0B', '1GiB', {
    default: '16MiB',
    reason: 'more than the longest prompt; bigger bodies are files',
    description:
      'Up to this size a request is kept, so that it can be sent again when the engine dies',
  }),
  'proxy.heldSize': bytes('1MiB', '64GiB', {
    default: '256MiB',
    reason: 'a small part of the memory that the model needs',
    description: 'What all waiting requests together may keep in memory',
  }),
  'proxy.maxBodySize': bytes('1KiB', '1GiB', {
    default: '100MB',
    reason: 'llama-server takes no more',
    description: 'The largest body of a request',
  }),
  'proxy.uploadTimeout': duration('1s', {
    default: '30s',
    reason: 'on this machine a pause within an upload is a client that hangs',
    description: 'The longest time in which a body may bring nothing, or less than 16 KiB',
  }),
  'proxy.headersTimeout': duration('1s', {
    default: '60s',
    reason: 'only somebody who wants to hold connections takes longer',
    description: 'How long a client may take for the head of a request',
  }),
  'proxy.maxConnections': integer(1, 1_000_000, {
    default: 12_000,
    reason: 'idle connections are cheap; the number of open files is not endless',
    description: 'How many connections the public port holds at once',
  }),
}

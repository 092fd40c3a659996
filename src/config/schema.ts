/** Every config key: what it means, what is allowed, and its default with the reason. Pure. */
import { z } from 'zod'
import { MEMORY_SETTINGS } from './memory-settings.ts'
import { PROXY_SETTINGS } from './proxy-settings.ts'
import {
  boolean,
  bytes,
  duration,
  durationValue,
  integer,
  integerOrAuto,
  list,
  optional,
  path,
  text,
} from './setting.ts'

export const SETTINGS = {
  'model.path': optional(
    path({
      default: null,
      reason:
        'what `oss20bd up` chose (models/current) is right unless you have a file of your own',
      description: 'The GGUF model file',
    }),
  ),
  'model.alias': text(z.string().regex(/^[\w./-]+$/), 'a name of letters, digits and . _ / -', {
    default: 'gpt-oss-20b',
    reason: 'the name that apps already use for this model',
    description: 'The model name that the public port answers to',
  }),
  'model.contextTokens': integerOrAuto(512, 131_072, {
    default: 'auto',
    reason:
      'the largest of 8192, 16384, 32768 and 65536 that fits beside other apps; 131072 makes every answer slow, so it must be asked for',
    description: 'The context of one conversation, in tokens; the model was trained for 131072',
  }),
  'model.slots': integer(1, 256, {
    default: 1,
    reason: 'one person asks one question at a time; every further slot costs memory',
    description: 'How many requests the engine works on at once',
  }),
  'model.cacheType': text(z.enum(['f16', 'q8_0']), '"f16" or "q8_0"', {
    default: 'f16',
    reason: 'as exact as the model computes; q8_0 takes half the memory for slightly worse answers',
    description: 'How the engine keeps a conversation in memory (its KV cache)',
  }),
  'model.promptCache': bytes('0B', '1024GiB', {
    default: '1GiB',
    reason:
      'holds a few long conversations; the 8 GiB of the engine itself drive a 32 GiB Mac to swap',
    description:
      'What the engine may keep of conversations that are not being answered; 0B is none',
  }),
  'engine.path': optional(
    path({
      default: null,
      reason: 'the engine that `oss20bd build` compiled (engines/current) is the tested one',
      description: 'An installed llama-server to use instead of the built one',
    }),
  ),
  'engine.extraArgs': list(z.string(), 'a list of texts', {
    default: [],
    reason: 'oss20bd sets every option that it needs',
    description: 'Further llama-server options, added at the end of its command line',
  }),
  'engine.startTimeout': duration('1s', {
    default: '5min',
    reason: '12 GB from a slow disk take minutes, a load that stands still for 5 is stuck',
    description: 'How long a starting engine may show no progress before it is stopped',
  }),
  'engine.drainTimeout': duration('0s', {
    default: '30s',
    reason: 'most answers end within it, and a service manager waits 60 s in all',
    description: 'How long a stop waits for open requests',
  }),
  'engine.exitGrace': duration('0s', {
    default: '10s',
    reason: 'freeing the GPU memory of a 12 GB model takes seconds',
    description: 'How long the engine may take to leave politely before SIGTERM',
  }),
  'engine.termGrace': duration('0s', {
    default: '2s',
    reason: 'an engine that ignored the polite way is most likely stuck',
    description: 'How long the engine may take after SIGTERM before SIGKILL',
  }),
  'restart.baseDelay': duration('0s', {
    default: '1s',
    reason: 'the first restart is at once; from the second on a short breath avoids a tight loop',
    description: 'The wait before the second restart in a row; it doubles with each further one',
  }),
  'restart.maxDelay': duration('0s', {
    default: '60s',
    reason: 'after a longer wait people believe that it is gone for good',
    description: 'The longest wait between two restarts',
  }),
  'restart.window': duration('1s', {
    default: '10min',
    reason: 'an engine that has run well for 10 minutes deserves a fresh count',
    description: 'Deaths longer ago than this are forgotten',
  }),
  'restart.safeModeAfter': integer(1, 1000, {
    default: 5,
    reason:
      'five deaths in ten minutes are no accident: the smallest set-up is the likeliest to live',
    description:
      'How many deaths within restart.window put the engine into safe mode (small context, one slot, no prompt cache)',
  }),
  'restart.giveUpAfter': integer(1, 1000, {
    default: 3,
    reason: 'what dies three more times in its smallest set-up needs a person',
    description: 'How many further deaths in safe mode make oss20bd give up',
  }),
  'health.hangTimeout': duration('5s', {
    default: '60s',
    reason:
      'one step of work is one batch of at most 2048 tokens: 5 s on a slow Mac; raise it on a machine without a GPU',
    description:
      'How long a working engine may stand still, or any engine be silent, before it is ended',
  }),
  'health.scrapeInterval': duration('1s', {
    default: '5s',
    reason: 'often enough to see a hang in time, too seldom to be felt',
    description: 'How often the counters of the engine are read',
  }),
  'health.canaryTimeout': duration('1s', {
    default: '60s',
    reason:
      'a model that was swapped out while the machine slept needs up to 40 s for its first token',
    description: 'How long the engine may take for one token after a wake or a suspicion',
  }),
  'health.canaryInterval': duration('0s', {
    default: '0s',
    reason: 'real requests are watched anyway; asking costs battery',
    description: 'How often the engine is asked for one token without any reason; 0 is never',
  }),
  'health.wakeGap': duration('1s', {
    default: '60s',
    reason: 'a sleeping Mac wakes for seconds many times a night; those wakes are no matter',
    description: 'A gap in time that counts as a sleep of the machine',
  }),
  'power.keepAwake': boolean({
    default: true,
    reason:
      'an answer that takes minutes should not be cut by idle sleep; the lid still puts it to sleep',
    description: 'Whether the machine is kept from idle sleep while a request is being answered',
  }),
  'notify.desktop': boolean({
    default: false,
    reason: 'a window that nobody asked for disturbs; the journal has it all anyway',
    description:
      'Whether the desktop shows a notification when the engine has failed or memory is critical, and when it is over',
  }),
  'idle.unloadAfter': text(
    z.union([z.enum(['auto', 'off']), durationValue('1s')]),
    '"auto", "off" or a duration with a unit (s, min, h) from 1s to 24h',
    {
      default: 'auto',
      reason:
        '30 min on a machine with at most 36 GB, where others need the memory more than an idle model does; off above',
      description: 'Without requests for so long, the model is unloaded; the next request loads it',
    },
  ),
  ...PROXY_SETTINGS,
  ...MEMORY_SETTINGS,
  'log.level': text(
    z.enum(['debug', 'info', 'warn', 'error']),
    '"debug", "info", "warn" or "error"',
    {
      default: 'info',
      reason: 'tells every state change without the chatter of the engine',
      description: 'The least important lines that are logged',
    },
  ),
  'log.maxSize': bytes('16KiB', '1GiB', {
    default: '10MiB',
    reason: 'weeks of normal use, and still opens in any editor',
    description: 'A log file that reaches this size is set aside',
  }),
  'log.keep': integer(0, 100, {
    default: 5,
    reason: 'with log.maxSize it bounds the logs at 120 MiB',
    description: 'How many older files are kept of each of the two logs',
  }),
}

export type SettingKey = keyof typeof SETTINGS

/** The parsed values by key, as `Config` holds them. */
export type SettingValues = {
  readonly [Key in SettingKey]: z.output<(typeof SETTINGS)[Key]['schema']>
}

export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS).filter(isSettingKey)

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key)
}

/** `proxy.holdTimeout` to `OSS20BD_PROXY_HOLD_TIMEOUT`. */
export function variableOf(key: SettingKey): string {
  return `OSS20BD_${key.replace(/[A-Z]/g, '_$&').replace('.', '_').toUpperCase()}`
}

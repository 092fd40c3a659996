/** The table of commands: what there is, in the order of the help; each is loaded only when it runs. */
import type { Command } from './command.ts'

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ readonly command: Command }>
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'up',
    summary: 'Do all that is missing: build, get a model, start, ask a first question',
    load: () => import('./commands/up.ts'),
  },
  {
    name: 'start',
    summary: 'Start in the background and wait until the model answers',
    load: () => import('./commands/start.ts'),
  },
  {
    name: 'stop',
    summary: 'Stop everything, or only the engine',
    load: () => import('./commands/stop.ts'),
  },
  {
    name: 'restart',
    summary: 'Restart the engine; apps that ask meanwhile are held, not refused',
    load: () => import('./commands/restart.ts'),
  },
  {
    name: 'unload',
    summary: 'Give the memory back now; the next request loads the model again',
    load: () => import('./commands/unload.ts'),
  },
  {
    name: 'load',
    summary: 'Load the model again without waiting for a request',
    load: () => import('./commands/load.ts'),
  },
  {
    name: 'status',
    summary: 'Show state, model, port, requests and memory',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'top',
    summary: 'Watch memory, speed, requests, events and the engine live, with keys',
    load: () => import('./commands/top.ts'),
  },
  {
    name: 'open',
    summary: 'Open the dashboard in the browser, with its buttons',
    load: () => import('./commands/open.ts'),
  },
  {
    name: 'ask [QUESTION..]',
    summary: 'Ask the model one question, about a file or a pipe too; the answer while it comes',
    load: () => import('./commands/ask.ts'),
  },
  {
    name: 'chat',
    summary: 'Talk with the model in the terminal',
    load: () => import('./commands/chat.ts'),
  },
  {
    name: 'connect [APP]',
    summary:
      'Print or write the configuration of an app (Codex, Claude Code, Zed, ...) for this port',
    load: () => import('./commands/connect.ts'),
  },
  {
    name: 'requests',
    summary: 'Show what is open at the port and what came last, once or live',
    load: () => import('./commands/requests.ts'),
  },
  {
    name: 'cancel [ID]',
    summary: 'End one open request',
    load: () => import('./commands/cancel.ts'),
  },
  {
    name: 'token [ACTION] [NAME]',
    summary: 'Let an app in by a token: add NAME, list, revoke NAME',
    load: () => import('./commands/token.ts'),
  },
  {
    name: 'logs',
    summary: 'Show or follow what the daemon and the engine wrote',
    load: () => import('./commands/logs.ts'),
  },
  {
    name: 'why',
    summary: 'Tell why it is as it is: the last stop, the evidence, what to do',
    load: () => import('./commands/why.ts'),
  },
  {
    name: 'events',
    summary: 'Show or follow the journal: stops, deaths, decisions, with their reasons',
    load: () => import('./commands/events.ts'),
  },
  {
    name: 'config [KEY]',
    summary: 'Show every setting and where it came from, or all about one',
    load: () => import('./commands/config.ts'),
  },
  {
    name: 'plan',
    summary: 'Show how much memory each context takes, and what fits',
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'pull [MODEL]',
    summary: 'Download a model and check every byte: gpt-oss-20b, OWNER/REPO[:FILE] or an address',
    load: () => import('./commands/pull.ts'),
  },
  {
    name: 'models [ACTION] [NAME]',
    summary: 'Show the models on this machine: list, use NAME, remove NAME',
    load: () => import('./commands/models.ts'),
  },
  {
    name: 'inspect [FILE]',
    summary: 'Tell what a model file is, and what it needs',
    load: () => import('./commands/inspect.ts'),
  },
  {
    name: 'verify [FILE]',
    summary: 'Check that a model file is whole and unchanged',
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'convert [HF_DIR] [OUT]',
    summary: 'Make a GGUF of a Hugging Face folder, in 8 bits, 4 bits or any other type',
    load: () => import('./commands/convert.ts'),
  },
  {
    name: 'quantize [IN] [OUT] [TYPE]',
    summary: 'Make a smaller model of a 16-bit GGUF: q4, q8 or any other type',
    load: () => import('./commands/quantize.ts'),
  },
  {
    name: 'bench',
    summary: 'Measure how fast it is here: reading, writing, first token, several at once',
    load: () => import('./commands/bench.ts'),
  },
  {
    name: 'build',
    summary: 'Compile llama-server and make it the current engine',
    load: () => import('./commands/build.ts'),
  },
  {
    name: 'engines [ACTION] [NAME]',
    summary: 'Show the engines on this machine: list, use NAME or PATH, remove NAME',
    load: () => import('./commands/engines.ts'),
  },
  {
    name: 'upgrade [REF]',
    summary: 'Another llama-server: built beside this one, checked, and given up when it fails',
    load: () => import('./commands/upgrade.ts'),
  },
  {
    name: 'rollback',
    summary: 'Go back to the engine that was used before',
    load: () => import('./commands/rollback.ts'),
  },
  {
    name: 'install',
    summary: 'Keep it running from login on, by launchd or systemd',
    load: () => import('./commands/install.ts'),
  },
  {
    name: 'uninstall',
    summary: 'Remove the service; with --purge all that oss20bd ever made',
    load: () => import('./commands/uninstall.ts'),
  },
  {
    name: 'doctor',
    summary: 'Find what is wrong, and the command that mends it',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'daemon',
    summary: 'Run in the foreground (what launchd and systemd start)',
    load: () => import('./commands/daemon.ts'),
  },
]

/**
 * Stands in for launchd: reads real plists and runs real programs by them, as far as the facts and captures tell.
 *
 * What it obeys: KeepAlive (true, or SuccessfulExit), RunAtLoad, ThrottleInterval, ExitTimeOut (SIGTERM, then SIGKILL),
 * UserName (as root),
 * AbandonProcessGroup (the rest of the group of a job that died is killed), Umask, SoftResourceLimits.NumberOfFiles,
 * EnvironmentVariables and nothing else of the environment, StandardOutPath and StandardErrorPath (no folder: exit 78),
 * records of disable that outlive a plist, a domain in on-demand-only mode, a Login Items switch that is off, a domain
 * that is not there. `bootout` returns before the job is gone. Texts and exit codes are those of the captures.
 *
 * It is given one argument, JSON: { uid, secondMs, exitSecondMs } (so long is one of launchd's seconds here, those of
 * ExitTimeOut apart: a machine that is busy must not have its daemons killed), and tells its port to
 * whoever forked it. There it answers one line each: the arguments of launchctl with 0x1f between them, answered by
 * `CODE LENGTH`, so many bytes of stdout, and stderr; or JSON from the test: { set: {...} }, { calls: true }.
 */
import { execFileSync, spawn } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { basename, dirname } from 'node:path'
import { parse } from 'plist'
import { printDomain, printListed, printService, printTable } from './launchd-texts.mjs'

const { uid, secondMs, exitSecondMs } = JSON.parse(process.argv[2])
const domain = `gui/${uid}`
const domains = new Set([domain, 'system'])

/** What a test may change. */
const world = {
  /** Nothing starts by itself; kickstart works. */
  onDemandOnly: false,
  /** Labels that are switched off in Login Items: launchd knows nothing of them. */
  switchedOff: [],
  /** [{ verb, code, times }]: the next calls of the verb fail so, without any effect. */
  failures: [],
  /** What bootstrap answers while the old job is on its way out. */
  tearingDownCode: 37,
}
const jobs = new Map()
const disabled = new Map()
const calls = []

const TEXTS = {
  3: 'No such process',
  5: 'Input/output error',
  17: 'File exists',
  36: 'Operation now in progress',
  37: 'Operation already in progress',
  112: 'Could not find specified domain',
  113: 'Could not find specified service',
  119: 'Service is disabled',
  122: 'Path had bad ownership/permissions',
  124: 'Domain is shutting down',
  125: 'Domain does not support specified action',
}
/** What macOS writes a crash report of. */
const CRASHES = new Set(['SIGILL', 'SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGTRAP', 'SIGFPE'])
const VERB_NAMES = { bootstrap: 'Bootstrap', bootout: 'Boot-out' }

// ------------------------------------------------------------------------------------------- verbs

const verbs = {
  bootstrap(target, path) {
    if (!domains.has(target)) return failed('bootstrap', 125)
    const plist = readPlist(path)
    if (typeof plist === 'number') return failed('bootstrap', plist)
    const { Label: label } = plist
    if (isDisabled(label)) return failed('bootstrap', 119)
    const old = jobs.get(label)
    if (old !== undefined) return failed('bootstrap', old.leaving ? world.tearingDownCode : 5)
    if (world.switchedOff.includes(label)) return ok()
    const job = { label, path, plist, domain: target, ...neverRun() }
    jobs.set(label, job)
    if ((plist.KeepAlive !== undefined || plist.RunAtLoad === true) && !world.onDemandOnly)
      start(job)
    return ok()
  },
  bootout(target) {
    const job = jobs.get(basename(target))
    if (job === undefined) return failed('bootout', 3)
    if (job.leaving) return failed('bootout', 36)
    job.leaving = true
    clearTimeout(job.timer)
    if (job.child === null) jobs.delete(job.label)
    else terminate(job)
    return ok()
  },
  enable(target) {
    disabled.set(basename(target), false)
    return ok()
  },
  disable(target) {
    disabled.set(basename(target), true)
    return ok()
  },
  kickstart(...args) {
    const job = jobs.get(basename(args.at(-1)))
    if (job === undefined) return notFound(args.at(-1))
    if (args.includes('-k') && job.child !== null) terminate(job)
    else if (job.child === null) start(job)
    return ok()
  },
  print(target) {
    if (domains.has(target)) return ok(printDomain(target, [...jobs.values()], world.onDemandOnly))
    const job = jobs.get(basename(target))
    if (job === undefined || dirname(target) !== job.domain) return notFound(target)
    return ok(printService(job))
  },
  'print-disabled': () =>
    ok(
      `\n\tdisabled services = {\n${[...disabled].map(([label, is]) => `\t\t"${label}" => ${is ? 'disabled' : 'enabled'}\n`).join('')}\t}\n`,
    ),
  list(label) {
    if (label === undefined) return ok(printTable([...jobs.values()]))
    const job = jobs.get(label)
    if (job !== undefined) return ok(printListed(job))
    return answer(113, '', `Could not find service "${label}" in domain for port\n`)
  },
}

function ok(stdout = '') {
  return answer(0, stdout, '')
}

function failed(verb, code) {
  const richer =
    verb === 'bootstrap' && code === 5
      ? 'Try re-running the command as root for richer errors.\n'
      : ''
  return answer(
    code,
    '',
    `${VERB_NAMES[verb] ?? verb} failed: ${code}: ${TEXTS[code] ?? 'Unknown error'}\n${richer}`,
  )
}

function notFound(target) {
  const where = target.startsWith('gui/') ? `user gui: ${uid}` : 'system'
  return answer(
    113,
    '',
    `Bad request.\nCould not find service "${basename(target)}" in domain for ${where}\n`,
  )
}

function answer(code, stdout, stderr) {
  return { code, stdout, stderr }
}

function isDisabled(label) {
  return disabled.get(label) === true
}

/** The plist, or the exit code of bootstrap. */
function readPlist(path) {
  try {
    const { mode, uid: owner } = statSync(path)
    if (owner !== process.getuid() || (mode & 0o022) !== 0) return 122
    const plist = parse(readFileSync(path, 'utf8'))
    return typeof plist.Label === 'string' && Array.isArray(plist.ProgramArguments) ? plist : 5
  } catch {
    return 5
  }
}

// -------------------------------------------------------------------------------------------- jobs

function neverRun() {
  return {
    child: null,
    state: 'not running',
    runs: 0,
    successiveCrashes: 0,
    lastExit: null,
    lastSignal: null,
    penaltyBox: false,
    leaving: false,
    startedAt: 0,
    timer: null,
  }
}

function start(job) {
  clearTimeout(job.timer)
  job.runs += 1
  job.startedAt = performance.now()
  const files = openFiles(job)
  const [program] = job.plist.ProgramArguments
  if (files === null || !isProgram(program)) return refuse(job)
  job.penaltyBox = false
  job.state = 'running'
  const umask = process.umask(job.plist.Umask ?? 0o022)
  job.child = spawn('/bin/sh', shellArgs(job.plist), {
    cwd: job.plist.WorkingDirectory ?? '/',
    // A group of its own, that ends with it.
    detached: true,
    stdio: ['ignore', ...files],
    ...userOf(job.plist),
    env: {
      PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
      XPC_SERVICE_NAME: job.label,
      ...job.plist.EnvironmentVariables,
    },
  })
  process.umask(umask)
  for (const file of files) closeSync(file)
  job.child.once('exit', (code, signal) => ended(job, code, signal))
}

/** Only root can start programs as somebody else. */
function userOf({ UserName: name }) {
  if (name === undefined) return {}
  const idOf = (option) => Number(execFileSync('id', [option, name]))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

function shellArgs({ ProgramArguments, SoftResourceLimits }) {
  const files = SoftResourceLimits?.NumberOfFiles ?? 256
  return ['-c', `ulimit -S -n ${files}; exec "$0" "$@"`, ...ProgramArguments]
}

function openFiles({ plist }) {
  try {
    return [plist.StandardOutPath, plist.StandardErrorPath].map((path) =>
      openSync(path ?? '/dev/null', 'a', 0o644),
    )
  } catch {
    return null
  }
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** It could not be started at all: EX_CONFIG. */
function refuse(job) {
  Object.assign(job, { lastExit: 78, lastSignal: null, penaltyBox: true })
  schedule(job)
}

function ended(job, code, signal) {
  const { pid } = job.child
  if (job.plist.AbandonProcessGroup !== true) killGroup(pid)
  clearTimeout(job.killTimer)
  Object.assign(job, { child: null, state: 'not running', lastExit: code, lastSignal: signal })
  job.successiveCrashes = CRASHES.has(signal) ? job.successiveCrashes + 1 : 0
  if (job.leaving) jobs.delete(job.label)
  else if (keepsAlive(job)) schedule(job)
}

function keepsAlive({ plist: { KeepAlive: keep }, lastExit }) {
  if (typeof keep === 'object') return keep.SuccessfulExit === (lastExit === 0)
  return keep === true
}

/** Not before ThrottleInterval seconds after the last start. */
function schedule(job) {
  if (world.onDemandOnly) return
  const notBefore = job.startedAt + (job.plist.ThrottleInterval ?? 10) * secondMs
  job.state = 'spawn scheduled'
  job.timer = setTimeout(() => start(job), Math.max(0, notBefore - performance.now()))
}

function terminate(job) {
  job.state = 'SIGTERMed'
  const { pid } = job.child
  job.child.kill('SIGTERM')
  job.killTimer = setTimeout(() => killGroup(pid), (job.plist.ExitTimeOut ?? 5) * exitSecondMs)
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

// ------------------------------------------------------------------------------------------ server

function tell(request) {
  if (request.set !== undefined) Object.assign(world, request.set)
  return JSON.stringify(calls)
}

function launchctl([verb, ...args]) {
  const failure = world.failures.find((one) => one.verb === verb && one.times > 0)
  if (failure !== undefined) {
    failure.times -= 1
    return noted(failed(verb, failure.code), [verb, ...args])
  }
  const result = verbs[verb]?.(...args) ?? answer(64, '', `Unrecognized subcommand: ${verb}\n`)
  return noted(result, [verb, ...args])
}

function noted(result, args) {
  calls.push({ args, code: result.code })
  return result
}

function answerTo(line) {
  if (line.startsWith('{')) return tell(JSON.parse(line))
  const { code, stdout, stderr } = launchctl(line.split('\x1f'))
  return `${code} ${Buffer.byteLength(stdout)}\n${stdout}${stderr}`
}

function endAll() {
  for (const { child } of jobs.values()) if (child !== null) killGroup(child.pid)
  process.exit()
}

process.once('SIGTERM', endAll)
process.once('disconnect', endAll)

const server = createServer((client) => {
  let text = ''
  client.setEncoding('utf8')
  client.on('error', () => undefined)
  client.on('data', (more) => {
    text += more
    if (text.endsWith('\n')) client.end(answerTo(text.slice(0, -1)))
  })
})
server.listen(0, '127.0.0.1', () => process.send?.(server.address().port))

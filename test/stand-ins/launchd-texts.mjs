/** What launchctl prints of a job, in the form of the captures. Pure. */

const SPAWN_TYPES = { Interactive: 'interactive (4)', Background: 'background (5)' }
const SIGNALS = {
  SIGKILL: 'Killed: 9',
  SIGTERM: 'Terminated: 15',
  SIGSEGV: 'Segmentation fault: 11',
  SIGILL: 'Illegal instruction: 4',
  SIGABRT: 'Abort trap: 6',
}
const SIGNAL_NUMBERS = { SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11, SIGILL: 4, SIGABRT: 6 }

function block(title, lines) {
  return [`\t${title} = {`, ...lines.map((line) => `\t\t${line}`), '\t}', '']
}

export function printService(job) {
  const { plist, child, domain } = job
  const [program] = plist.ProgramArguments
  const variables = Object.entries(plist.EnvironmentVariables ?? {})
  const running = child !== null
  return [
    `${domain}/${job.label} = {`,
    `\tactive count = ${running ? 1 : 0}`,
    `\tpath = ${job.path}`,
    `\ttype = ${domain === 'system' ? 'LaunchDaemon' : 'LaunchAgent'}`,
    `\tstate = ${job.state}`,
    '',
    `\tprogram = ${program}`,
    ...block('arguments', plist.ProgramArguments).slice(0, -1),
    '',
    `\tstdout path = ${plist.StandardOutPath}`,
    `\tstderr path = ${plist.StandardErrorPath}`,
    ...block('inherited environment', [
      'SSH_AUTH_SOCK => /var/run/com.apple.launchd.vjczDioG91/Listeners',
    ]),
    ...block('default environment', ['PATH => /usr/bin:/bin:/usr/sbin:/sbin']),
    ...block('environment', [
      'OSLogRateLimit => 64',
      ...variables.map(([name, value]) => `${name} => ${value}`),
      `XPC_SERVICE_NAME => ${job.label}`,
    ]),
    `\tdomain = ${domain} [100020]`,
    '\tasid = 100020',
    `\tminimum runtime = ${plist.ThrottleInterval ?? 10}`,
    `\texit timeout = ${plist.ExitTimeOut ?? 5}`,
    `\truns = ${job.runs}`,
    ...(job.successiveCrashes > 0 ? [`\tsuccessive crashes = ${job.successiveCrashes}`] : []),
    ...(running ? [`\tpid = ${child.pid}`, '\timmediate reason = speculative', '\tforks = 0'] : []),
    `\t${lastExit(job)}`,
    '',
    ...block('resource coalition', [
      'ID = 1140',
      'type = resource',
      'state = active',
      'active count = 1',
      `name = ${job.label}`,
    ]),
    `\tspawn type = ${SPAWN_TYPES[plist.ProcessType] ?? 'daemon (3)'}`,
    '\tjetsam priority = 40',
    `\tjob state = ${running ? 'running' : 'exited'}`,
    '\tsanitizer flags = 0x0',
    '',
    `\tproperties = ${properties(job).join(' | ')}`,
    '}',
    '',
  ].join('\n')
}

function lastExit({ lastExit: code, lastSignal: signal }) {
  if (signal !== null) return `last terminating signal = ${SIGNALS[signal] ?? signal}`
  if (code === null) return 'last exit code = (never exited)'
  return `last exit code = ${code === 78 ? '78: EX_CONFIG' : code}`
}

function properties({ plist, penaltyBox }) {
  return [
    ...(plist.KeepAlive === true ? ['keepalive'] : []),
    ...(plist.KeepAlive !== undefined || plist.RunAtLoad === true ? ['runatload'] : []),
    ...(penaltyBox ? ['penalty box'] : []),
    'inferred program',
    'managed LWCR',
  ]
}

export function printDomain(domain, jobs, onDemandOnly) {
  return [
    `${domain} = {`,
    '\ttype = login',
    '\thandle = 501',
    `\ton-demand count = ${onDemandOnly ? 1 : 0}`,
    '\tservice count = 1',
    ...block('services', jobs.map(row)),
    '}',
    '',
  ].join('\n')
}

export function printTable(jobs) {
  return ['PID\tStatus\tLabel', ...jobs.map(row), ''].join('\n')
}

function row({ child, lastExit: code, lastSignal: signal, label }) {
  const status = signal === null ? (code ?? 0) : -(SIGNAL_NUMBERS[signal] ?? 1)
  return `${child === null ? '-' : child.pid}\t${status}\t${label}`
}

export function printListed({ plist, child, lastExit: code, lastSignal: signal, label }) {
  const raw = signal === null ? (code ?? 0) * 256 : (SIGNAL_NUMBERS[signal] ?? 1)
  return [
    '{',
    `\t"StandardOutPath" = "${plist.StandardOutPath}";`,
    '\t"LimitLoadToSessionType" = "Aqua";',
    `\t"StandardErrorPath" = "${plist.StandardErrorPath}";`,
    `\t"Label" = "${label}";`,
    '\t"OnDemand" = false;',
    `\t"LastExitStatus" = ${raw};`,
    ...(child === null ? [] : [`\t"PID" = ${child.pid};`]),
    `\t"Program" = "${plist.ProgramArguments[0]}";`,
    '};',
    '',
  ].join('\n')
}

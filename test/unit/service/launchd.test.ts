/** The plist and the plans of launchd, as texts and steps. */
import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'plist'
import { describe, expect, test } from 'vitest'
import { explainLaunchctl } from '../../../src/service/launchctl-exit.ts'
import { differingKeys, fillPlist, readPlist } from '../../../src/service/launchd-plist.ts'
import { LABEL } from '../../../src/service/unit-file.ts'
import { launchd } from '../../../src/service/launchd.ts'
import { NOTHING_FOUND, type ServiceVerb } from '../../../src/service/service.ts'
import { stepLine } from '../../../src/service/step-text.ts'
import { macSpec } from '../../helpers/service-spec.ts'

const shim = '/Users/ada/Library/Application Support/oss20bd/service/oss20bd'
const plistFile = '/Users/ada/Library/LaunchAgents/dev.oss20bd.daemon.plist'
const plistutil = spawnSync('plistutil', ['--version'])
const canCheck = plistutil.error === undefined

function commands(verb: ServiceVerb, found = NOTHING_FOUND): readonly string[] {
  const { steps } = launchd.plan(verb, macSpec(), found)
  return steps.flatMap((step) => ('command' in step ? step.command.join(' ') : []))
}

describe('the plist', () => {
  test('it says what launchd must know, with absolute paths', () => {
    expect(parse(fillPlist(macSpec({ daemonArgs: ['--set', 'proxy.port=8021'] })))).toEqual({
      Label: LABEL,
      ProgramArguments: [shim, 'daemon', '--service', '--set', 'proxy.port=8021'],
      KeepAlive: true,
      RunAtLoad: true,
      ThrottleInterval: 10,
      ExitTimeOut: 60,
      AbandonProcessGroup: false,
      ProcessType: 'Interactive',
      SoftResourceLimits: { NumberOfFiles: 16384 },
      Umask: 63,
      EnvironmentVariables: {
        PATH: '/opt/homebrew/bin:/usr/bin:/bin',
        HOME: '/Users/ada',
        LANG: 'C',
      },
      StandardOutPath: '/dev/null',
      StandardErrorPath: '/Users/ada/Library/Logs/oss20bd/launchd.err',
    })
  })

  test('launchd waits longer for a daemon whose config lets it stop slowly', () => {
    const { exitTimeOut } = readPlist(fillPlist(macSpec({ stopLimitMs: 300_000 })))!
    expect(exitTimeOut).toBe(310)
  })

  test('for the whole Mac it runs as the user', () => {
    expect(parse(fillPlist(macSpec({ scope: 'system' })))).toMatchObject({ UserName: 'ada' })
  })

  test('names that XML would misread come back as they were', () => {
    const home = '/Users/a <b> & \'c\' "d" {{HOME}}'
    const folders = { home: `${home}/o`, logs: `${home}/l` }
    const user = { name: 'a', uid: 501, home }
    const read = readPlist(fillPlist(macSpec({ folders, user })))
    expect(read?.programArguments[0]).toBe(`${home}/o/service/oss20bd`)
  })

  test('every key of the template has its reason before it', () => {
    const { template } = macSpec()
    const keys = [...template.matchAll(/^\t<key>/gm)].length
    const reasoned = [...template.matchAll(/-->\n\t<key>/g)].length
    expect(keys).toBe(13)
    expect(reasoned).toBe(keys)
  })

  test.runIf(canCheck)(
    "Debian's plistutil reads it (left out where libplist-utils is missing)",
    () => {
      const written = fillPlist(macSpec())
      const binary = spawnSync('plistutil', ['-i', '-', '-f', 'bin'], { input: written })
      expect([binary.status, binary.stdout.subarray(0, 8).toString()]).toEqual([0, 'bplist00'])
      const back = spawnSync('plistutil', ['-i', '-', '-f', 'xml'], { input: binary.stdout })
      expect(parse(back.stdout.toString())).toEqual(parse(written))
    },
  )

  test('keys that an older version wrote otherwise are named, settings of a person are not', () => {
    const now = fillPlist(macSpec())
    const chosen = fillPlist(
      macSpec({ daemonArgs: ['--set', 'a.b=c'], environment: { PATH: '/x' }, stopLimitMs: 99_000 }),
    )
    expect(differingKeys(chosen, now)).toEqual([])
    const old = now.replace('Interactive', 'Standard').replace('<integer>10<', '<integer>1<')
    expect(differingKeys(old, now)).toEqual(['ProcessType', 'ThrottleInterval'])
  })

  test("Homebrew's plists are read too, and what is none gives none", async () => {
    const name = '../../fixtures/macos/brew-services-generated-plist-ollama.plist'
    const text = await readFile(fileURLToPath(new URL(name, import.meta.url)), 'utf8')
    expect(readPlist(text)).toMatchObject({
      label: 'homebrew.mxcl.ollama',
      programArguments: ['/opt/homebrew/opt/ollama/bin/ollama', 'serve'],
    })
    expect(readPlist('no plist')).toBeNull()
  })
})

describe('the plans', () => {
  test('install ends what there is, waits until it is gone, loads, starts and looks', () => {
    expect(commands('install')).toEqual([
      `launchctl bootout gui/501/${LABEL}`,
      `launchctl print gui/501/${LABEL}`,
      `launchctl enable gui/501/${LABEL}`,
      `launchctl bootstrap gui/501 ${plistFile}`,
      `launchctl kickstart gui/501/${LABEL}`,
      `launchctl print gui/501/${LABEL}`,
    ])
  })

  test('the plist is written while nothing is loaded', () => {
    const lines = launchd.plan('install', macSpec(), NOTHING_FOUND).steps.map(stepLine)
    const gone = lines.findIndex((line) => line.includes('knows it no more'))
    const written = lines.findIndex((line) => line.startsWith(`write ${plistFile}`))
    const enabled = lines.findIndex((line) => line.startsWith('launchctl enable'))
    expect([gone, written, enabled].toSorted((a, b) => a - b)).toEqual([gone, written, enabled])
  })

  test('start of a loaded service only starts it', () => {
    expect(commands('start', { ...NOTHING_FOUND, loaded: true })[1]).toBe(
      `launchctl kickstart gui/501/${LABEL}`,
    )
  })

  test('what ran before is put back, from the copy that it ran from', () => {
    const files = new Map([
      [plistFile, 'old plist'],
      [shim, 'old shim'],
    ])
    const found = { ...NOTHING_FOUND, files, loaded: true, programs: ['0.0.9-old'] }
    const lines = launchd.plan('install', macSpec(), found).undo.map(stepLine)
    expect(lines.map((line) => line.replace(/ {2}#.*/, ''))).toEqual([
      expect.stringMatching(/^let the daemon that runs hand its port over/),
      `launchctl bootout gui/501/${LABEL}`,
      `launchctl print gui/501/${LABEL}`,
      `write '${shim}' (mode 0755)`,
      `rm -f '${shim.replace(/oss20bd$/, 'node-path')}'`,
      `rm -f '${shim.replace(/oss20bd$/, 'package-path')}'`,
      `write ${plistFile} (mode 0644)`,
      `rm -rf '${shim.replace(/oss20bd$/, 'programs/0.1.0-abc')}'`,
      `launchctl enable gui/501/${LABEL}`,
      `launchctl bootstrap gui/501 ${plistFile}`,
      `launchctl kickstart gui/501/${LABEL}`,
      `launchctl print gui/501/${LABEL}`,
      'wait for the daemon to answer, at most 60 s',
    ])
  })

  test('for the whole Mac it is a daemon of the system', () => {
    const { steps } = launchd.plan('install', macSpec({ scope: 'system' }), NOTHING_FOUND)
    expect(steps.map(stepLine).join('\n')).toContain(
      `launchctl bootstrap system /Library/LaunchDaemons/${LABEL}.plist`,
    )
  })
})

describe('the exit codes', () => {
  const codes = [3, 5, 17, 36, 37, 110, 111, 112, 113, 119, 122, 124, 125, 133, 134, 155]

  test.each(codes)('%d has words and something to do', (exitCode) => {
    const failure = explainLaunchctl({ exitCode, stdout: '', stderr: 'Texto en otro idioma' })
    expect(failure.message).toMatch(new RegExp(`^[^.]+ \\(launchctl: ${exitCode}\\)$`))
    expect(failure.message).not.toContain('Texto')
    expect(failure.hint).not.toBe('')
    expect(failure.hint.match(/oss20bd (?:start|install|doctor|logs)/g)?.length ?? 0).toBeLessThan(
      2,
    )
  })

  test('one that nobody knows is told as launchctl told it', () => {
    const stderr = 'Bootstrap failed: 200: Something\nmore'
    expect(explainLaunchctl({ exitCode: 200, stdout: '', stderr }).message).toBe(
      'Bootstrap failed: 200: Something (launchctl: 200)',
    )
    expect(explainLaunchctl({ exitCode: null, stdout: '', stderr: '' }).hint).toBe('Is this a Mac?')
  })
})

/** The doctor's look at the tools: Node, and what a build of the engine needs. */
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { systemClock } from '../../clock.ts'
import { type Judge, judgeAll } from '../../finding.ts'
import type { MachineKind } from '../../host/machine-kind.ts'
import { createToolRunner } from '../../run-tool.ts'
import type { Context } from '../command.ts'
import type { DoctorPart, Examined } from './part.ts'
import { engineFileOf, type Visit } from './visit.ts'

export interface ToolFacts extends Pick<MachineKind, 'isTranslated'> {
  readonly platform: NodeJS.Platform
  readonly node: string
  /** Of git, cmake and c++. */
  readonly missing: readonly string[]
  /** `3.25`; null when there is none, or it does not say. */
  readonly cmake: string | null
  /** Without them git and c++ of a Mac only ask to install them; null elsewhere, or when nobody can tell. */
  readonly hasCommandLineTools: boolean | null
  readonly hasHomebrew: boolean
  /** There is an engine already, so that no tool is needed now. */
  readonly hasEngine: boolean
}

/** As scripts/build-llama.sh wants it. */
const OLDEST_CMAKE = [3, 18] as const
const deadlineMs = 10_000

export const toolsPart: DoctorPart = {
  name: 'tools',
  examine: async (context, visit) => {
    const { platform } = visit
    const engine = await visit.config().then(
      (config) => engineFileOf(context, config),
      () => '',
    )
    const [missing, cmake, hasCommandLineTools, { isTranslated }, hasEngine, brews] =
      await Promise.all([
        findMissing(['git', 'cmake', 'c++'], context),
        readCmake(context),
        askXcodeSelect(visit),
        visit.kind(),
        isExecutable(engine),
        findMissing(['brew'], context),
      ])
    const hasHomebrew = brews.length === 0 || (await isExecutable('/opt/homebrew/bin/brew'))
    const node = process.versions.node
    const known = { platform, node, missing, cmake, hasCommandLineTools, hasHomebrew, hasEngine }
    return examineTools({ ...known, isTranslated })
  },
}

/** Unlike the tools themselves it never opens a window that offers to install them. */
async function askXcodeSelect({ platform, runTool }: Visit): Promise<boolean | null> {
  if (platform !== 'darwin') return null
  const result = await runTool('xcode-select', ['-p'], { deadlineMs })
  return result.kind === 'ended' ? result.failure === null && result.stdout.startsWith('/') : null
}

/** On the person's own PATH, where a build finds it too. */
async function readCmake({ env }: Context): Promise<string | null> {
  const environment = { PATH: env['PATH'] ?? '' }
  const run = createToolRunner({ clock: systemClock, environment })
  const result = await run('cmake', ['--version'], { deadlineMs })
  const said = result.kind === 'ended' ? result.stdout : ''
  return /^cmake version (\d+\.\d+)/m.exec(said)?.[1] ?? null
}

async function findMissing(tools: readonly string[], { env }: Context): Promise<string[]> {
  const folders = (env['PATH'] ?? '').split(delimiter)
  const found = await Promise.all(
    tools.map(async (tool) => {
      const there = await Promise.all(folders.map((folder) => isExecutable(join(folder, tool))))
      return there.includes(true)
    }),
  )
  return tools.filter((_tool, index) => found[index] !== true)
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Pure. */
export function examineTools(facts: ToolFacts): Examined {
  const { node, missing, cmake, hasEngine, hasCommandLineTools } = facts
  const lacking = [...missing, ...(hasCommandLineTools === false ? ['Command Line Tools'] : [])]
  const build =
    lacking.length === 0
      ? `cmake ${cmake ?? 'of an unknown version'}, git, c++`
      : `no ${lacking.join(', no ')}${hasEngine ? ', which only a build needs' : ''}`
  return {
    state: `Node ${node}, ${build}`,
    findings: judgeAll([noCommandLineTools, noTools, oldCmake, translated], facts),
  }
}

const noCommandLineTools: Judge<ToolFacts> = ({ hasCommandLineTools, hasEngine }) => {
  if (hasCommandLineTools !== false || hasEngine) return null
  return {
    id: 'command-line-tools-missing',
    what: 'The engine cannot be compiled: the Command Line Tools of Xcode are missing',
    why: 'xcode-select -p names no folder',
    mend: 'xcode-select --install',
  }
}

const noTools: Judge<ToolFacts> = (facts) => {
  const { platform, missing, hasEngine, hasCommandLineTools } = facts
  // On a Mac all but cmake comes with those.
  const wanted = hasCommandLineTools === false ? missing.filter((t) => t === 'cmake') : missing
  if (wanted.length === 0 || hasEngine) return null
  return {
    id: 'tools-missing',
    what: 'The engine cannot be compiled',
    why: `${wanted.join(', ')} cannot be found`,
    mend:
      platform === 'darwin' && !wanted.includes('cmake')
        ? 'xcode-select --install'
        : installCommand(facts, wanted),
  }
}

const oldCmake: Judge<ToolFacts> = (facts) => {
  const { cmake, hasEngine } = facts
  if (cmake === null || hasEngine) return null
  const [major = 0, minor = 0] = cmake.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST_CMAKE
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return null
  return {
    id: 'cmake-too-old',
    what: 'The engine cannot be compiled: cmake is too old',
    why: `cmake ${cmake} is there, ${OLDEST_CMAKE.join('.')} or newer is needed`,
    mend: installCommand(facts, ['cmake']),
  }
}

function installCommand(
  { platform, hasHomebrew }: Pick<ToolFacts, 'platform' | 'hasHomebrew'>,
  tools: readonly string[],
): string {
  if (platform === 'darwin') {
    return hasHomebrew ? 'brew install cmake' : 'open https://cmake.org/download/'
  }
  const packages = tools.map((tool) => (tool === 'c++' ? 'g++' : tool))
  return `sudo apt-get install ${packages.join(' ')}`
}

const translated: Judge<ToolFacts> = ({ isTranslated }) => {
  if (isTranslated !== true) return null
  return {
    id: 'node-translated',
    what: 'Node is the one for Intel: an engine that it builds is too, and many times slower',
    why: 'Rosetta translates it (sysctl.proc_translated is 1)',
    mend: '/opt/homebrew/bin/brew install node',
    degree: 'worse',
  }
}

/** The official Python client of OpenAI: the one that is installed, else one got for the time of the test. */
import { execa } from 'execa'
import type { TempDir } from './temp-dir.ts'

export type Python = { readonly file: string } | { readonly missing: string }

/** With the client that is installed, else with one of its own in `home`, which needs a package registry. */
export async function findPython(home: TempDir): Promise<Python> {
  const noPython = await run('python3', '-c', 'import sys; assert sys.version_info >= (3, 9)')
  if (noPython !== null) return { missing: `no Python 3.9 or newer (${noPython})` }
  if ((await run('python3', '-c', 'import openai; openai.OpenAI')) === null) {
    return { file: 'python3' }
  }
  const noVenv = await run('python3', '-m', 'venv', home.file('venv'))
  if (noVenv !== null) return { missing: `no package openai, and python3 -m venv: ${noVenv}` }
  const file = home.file('venv', 'bin', 'python')
  const patience = ['--quiet', '--no-input', '--retries', '1', '--timeout', '10']
  const noPackage = await run(file, '-m', 'pip', 'install', ...patience, 'openai==3.57.0')
  return noPackage === null ? { file } : { missing: `no package openai, and pip: ${noPackage}` }
}

/** Why it failed, or null. */
async function run(file: string, ...args: readonly string[]): Promise<string | null> {
  const { exitCode, stderr, shortMessage } = await execa(file, args, {
    reject: false,
    timeout: 90_000,
    env: { PIP_DISABLE_PIP_VERSION_CHECK: '1' },
  })
  if (exitCode === 0) return null
  return (stderr || (shortMessage ?? '')).split('\n').findLast(isWord) ?? 'it failed'
}

function isWord(line: string): boolean {
  return line.trim() !== ''
}

/** The real daemon with a puppet as its engine. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeTestModel } from '../../src/model/test-model.ts'
import { type DaemonScene, daemonScene, type DaemonSceneOptions } from './daemon-scene.ts'
import { type Puppet, type PuppetControl, puppetFile, startPuppetControl } from './puppet.ts'
import type { TempDir } from './temp-dir.ts'

interface PuppetScene {
  readonly scene: DaemonScene
  readonly puppets: PuppetControl
  /** Takes the next engine to ready. */
  readonly readyPuppet: () => Promise<Puppet>
}

type Changes = Partial<DaemonSceneOptions> & Pick<DaemonSceneOptions, 'onTestFinished'>

export async function putModel(home: TempDir): Promise<void> {
  await mkdir(home.file('models'))
  await writeTestModel(home.file('models', 'current'), { template: '<|channel|>' })
}

/** In one step, over the one that is there. */
export async function putEngine(home: TempDir, script: string): Promise<void> {
  const folder = home.file('engines', 'current', 'bin')
  await mkdir(folder, { recursive: true })
  await writeFile(home.file('new-engine'), script, { mode: 0o755 })
  await rename(home.file('new-engine'), join(folder, 'llama-server'))
}

/** The puppet, which says that it is of this version. */
export function engineOfVersion(version: string): string {
  return `#!/bin/sh
if [ "$1" = --version ]; then echo "version: ${version} (1)"; exit; fi
exec '${process.execPath}' '${puppetFile}' "$@"
`
}

export async function prepareHome(home: TempDir): Promise<void> {
  await putModel(home)
  await putEngine(home, engineOfVersion('0.5.0'))
}

/** Graces that a test can wait for. */
const quick = {
  'engine.drainTimeout': '400ms',
  'engine.exitGrace': '400ms',
  'engine.termGrace': '400ms',
}

export async function puppetScene(changes: Changes): Promise<PuppetScene> {
  const puppets = await startPuppetControl()
  changes.onTestFinished(() => puppets[Symbol.asyncDispose]())
  const scene = await daemonScene({
    prepare: prepareHome,
    ...changes,
    config: {
      'engine.extraArgs': ['--puppet-control', puppets.path],
      ...quick,
      ...changes.config,
    },
  })
  const readyPuppet = async (): Promise<Puppet> => {
    const puppet = await scene.inTime(puppets.next())
    await puppet.listening
    await puppet.ready()
    await scene.until(({ engine }) => engine.state === 'ready' && engine.pid === puppet.pid)
    return puppet
  }
  return { scene, puppets, readyPuppet }
}

/** What launchd and systemd have in common to install: the shim, what it is told, and a copy of the program. Pure. */
import { join } from 'node:path'
import type { Found, ServiceSpec } from './service.ts'
import type { Owner, Step } from './step.ts'

type Places = Pick<ServiceSpec, 'folders'>

/** Holds all that the service runs; nothing else is in it. */
function serviceFolder({ folders }: Places): string {
  return join(folders.home, 'service')
}

/** The program that the system starts: its name is what people see in Login Items. */
export function shimFile(places: Places): string {
  return join(serviceFolder(places), 'oss20bd')
}

/** Each is one line that the shim reads. */
export function nodeFile(places: Places): string {
  return join(serviceFolder(places), 'node-path')
}

export function packageFile(places: Places): string {
  return join(serviceFolder(places), 'package-path')
}

export function programFiles(places: Places): readonly string[] {
  return [shimFile(places), nodeFile(places), packageFile(places)]
}

export function programsFolder(places: Places): string {
  return join(serviceFolder(places), 'programs')
}

function programFolder(places: Places, name: string): string {
  return join(programsFolder(places), name)
}

/** As root the files are still the user's: the daemon runs as that user. */
function ownerOf({ scope, user }: Pick<ServiceSpec, 'scope' | 'user'>): Owner {
  return scope === 'system' ? user.uid : null
}

/** Puts shim, records and program in place. What runs now is not touched by it. */
export function placeProgram(spec: ServiceSpec): readonly Step[] {
  const owner = ownerOf(spec)
  const folder = (path: string): Step => ({ kind: 'make-folder', path, mode: 0o700, owner })
  const to = programFolder(spec, spec.program.name)
  return [
    folder(spec.folders.home),
    folder(spec.folders.logs),
    folder(serviceFolder(spec)),
    folder(programsFolder(spec)),
    { kind: 'copy-program', from: spec.program.from, to, owner },
    { kind: 'write-file', path: shimFile(spec), text: spec.shim, mode: 0o755, owner },
    { kind: 'write-file', path: nodeFile(spec), text: `${spec.node}\n`, mode: 0o644, owner },
    { kind: 'write-file', path: packageFile(spec), text: `${to}\n`, mode: 0o644, owner },
  ]
}

/** Once the new one answers, no older one is needed to go back to. */
export function removeOldPrograms(spec: ServiceSpec, found: Found): readonly Step[] {
  return found.programs
    .filter((name) => name !== spec.program.name)
    .map((name) => ({ kind: 'remove-folder', path: programFolder(spec, name) }))
}

/** Puts back each file as it was, or removes the one that was not there. */
export function restoreFiles(
  spec: ServiceSpec,
  found: Found,
  files: readonly string[],
): readonly Step[] {
  return files.map((path): Step => {
    const text = found.files.get(path)
    if (text === undefined) return { kind: 'remove-file', path }
    const mode = path === shimFile(spec) ? 0o755 : 0o644
    // The unit of a system service belongs to root, all that is in the home to the user.
    const owner = path.startsWith(spec.folders.home) ? ownerOf(spec) : null
    return { kind: 'write-file', path, text, mode, owner }
  })
}

/** The new copy, unless it is the one that ran before. */
export function removeNewProgram(spec: ServiceSpec, found: Found): readonly Step[] {
  const { name } = spec.program
  return found.programs.includes(name)
    ? []
    : [{ kind: 'remove-folder', path: programFolder(spec, name) }]
}

/** Removes all that `placeProgram` made; the folders of config, models and logs stay. */
export function removeProgram(spec: ServiceSpec): readonly Step[] {
  return [
    ...programFiles(spec).map((path): Step => ({ kind: 'remove-file', path })),
    { kind: 'remove-folder', path: programsFolder(spec) },
    { kind: 'remove-empty-folder', path: serviceFolder(spec) },
  ]
}

/** A part of this machine with little memory of its own, so that a test may fill it: a control group where one can be made. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { promisify } from 'node:util'
import { readCgroupRoom } from '../../src/memory/linux/cgroup-limit.ts'
import { cgroupFolders, type CgroupFolder } from '../../src/memory/linux/cgroup-folders.ts'

const run = promisify(execFile)

export interface MemoryRoom extends AsyncDisposable {
  readonly totalBytes: number
  /** It is for the test alone: nobody else suffers when it is full. */
  readonly isOwn: boolean
  /** A line of shell that moves the process that runs it into the room. */
  readonly entering: string
  availableBytes(): Promise<number>
  /** How many processes the kernel has ended in it for want of memory. */
  oomKills(): Promise<number>
}

/** A group with this limit and no swap; where none can be made, the whole machine. */
export async function makeMemoryRoom(limitBytes: number): Promise<MemoryRoom> {
  const asRoot = await rootShell()
  if (asRoot === null) return wholeMachine()
  const [groups, mounts] = await Promise.all([
    readFile('/proc/self/cgroup', 'utf8'),
    readFile('/proc/self/mountinfo', 'utf8'),
  ])
  // The nearest first; in version 2 only one without processes of its own, like the root, may have limited children.
  for (const folder of cgroupFolders(groups, mounts)) {
    const room = await makeGroup(folder, limitBytes, asRoot)
    if (room !== null) return room
  }
  return wholeMachine()
}

/** Runs a line of shell as root; rejects when it fails. */
type Shell = ((line: string) => Promise<unknown>) & { readonly prefix: string }

async function rootShell(): Promise<Shell | null> {
  const isRoot = process.getuid?.() === 0
  const [file, args, prefix] = isRoot
    ? ['/bin/sh', [], '']
    : ['sudo', ['-n', '/bin/sh'], 'sudo -n ']
  const shell = (line: string): Promise<unknown> => run(file, [...args, '-c', line])
  const works = await shell('true').then(
    () => true,
    () => false,
  )
  return works ? Object.assign(shell, { prefix }) : null
}

async function makeGroup(
  { version, path }: CgroupFolder,
  limitBytes: number,
  asRoot: Shell,
): Promise<MemoryRoom | null> {
  const folder = `${path}/oss20bd-test-${process.pid}`
  const lines = version === 1 ? limitsOfVersion1 : limitsOfVersion2
  try {
    await asRoot(lines(path, folder, limitBytes))
  } catch {
    await asRoot(`rmdir ${folder}`).catch(() => undefined)
    return null
  }
  const events = `${folder}/${version === 1 ? 'memory.oom_control' : 'memory.events'}`
  return {
    totalBytes: limitBytes,
    isOwn: true,
    entering: `${asRoot.prefix}/bin/sh -c "echo $$ > ${folder}/cgroup.procs"`,
    availableBytes: async () => {
      const room = await readCgroupRoom([{ version, path: folder }], (file) =>
        readFile(file, 'utf8'),
      )
      return room.kind === 'known' ? room.value.availableBytes : Number.NaN
    },
    oomKills: async () => killsIn(await readFile(events, 'utf8')),
    [Symbol.asyncDispose]: async () => {
      // Its processes have been told to end; the last of them may need a moment.
      await asRoot(
        `for _ in $(seq 100); do rmdir ${folder} 2>/dev/null && exit; sleep 0.1; done; rmdir ${folder}`,
      )
    },
  }
}

function limitsOfVersion1(_above: string, folder: string, limitBytes: number): string {
  return `set -e
mkdir ${folder}
echo ${limitBytes} > ${folder}/memory.limit_in_bytes
test ! -e ${folder}/memory.memsw.limit_in_bytes || echo ${limitBytes} > ${folder}/memory.memsw.limit_in_bytes`
}

function limitsOfVersion2(above: string, folder: string, limitBytes: number): string {
  return `set -e
echo +memory > ${above}/cgroup.subtree_control
mkdir ${folder}
echo ${limitBytes} > ${folder}/memory.max
test ! -e ${folder}/memory.swap.max || echo 0 > ${folder}/memory.swap.max`
}

function killsIn(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? Number.NaN)
}

function wholeMachine(): MemoryRoom {
  return {
    totalBytes: totalmem(),
    isOwn: false,
    entering: ':',
    availableBytes: async () => {
      const text = await readFile('/proc/meminfo', 'utf8')
      return Number(/^MemAvailable: +(\d+) kB$/m.exec(text)?.[1]) * 1024
    },
    oomKills: async () => killsIn(await readFile('/proc/vmstat', 'utf8')),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

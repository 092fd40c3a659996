/** Another app that takes memory, as the test says. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const hogFile = fileURLToPath(new URL('../fixtures/memory-hog.mjs', import.meta.url))

export interface MemoryHog extends AsyncDisposable {
  /** Resolves once it holds so much more. */
  take(bytes: number, bytesPerSecond?: number): Promise<void>
  giveBack(): Promise<void>
  /** Whether it lives: the kernel ends what takes too much. */
  readonly isAlive: boolean
}

/** `entering` is a line of shell that its process runs first. */
export function startMemoryHog(entering: string): MemoryHog {
  const script = `${entering}\nexec "$0" --expose-gc "$@"`
  const child = spawn('/bin/sh', ['-c', script, process.execPath, hogFile], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = createInterface({ input: child.stdout })
  const gone = once(child, 'exit').then(() => {
    throw new Error('the memory hog is gone: the kernel ended it')
  })
  gone.catch(() => undefined)
  const tell = async (line: string): Promise<void> => {
    const answered = once(answers, 'line')
    child.stdin.write(`${line}\n`)
    await Promise.race([answered, gone])
  }
  return {
    take: (bytes, bytesPerSecond = 2 ** 31) =>
      tell(`take ${Math.max(0, Math.round(bytes))} ${bytesPerSecond}`),
    giveBack: () => tell('give-back'),
    get isAlive() {
      return isAlive(child)
    },
    [Symbol.asyncDispose]: async () => {
      if (!isAlive(child)) return
      const ended = once(child, 'exit')
      child.stdin.end()
      await ended
    },
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

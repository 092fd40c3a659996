/** Keeps the connection of a client alive that has a part of its stream and waits for the rest. */
import type { Clock } from '../clock.ts'
import type { ClientAnswer } from './client-answer.ts'
import { WAITING_COMMENT } from './stream/broken-stream.ts'

const everyMs = 5000
const comment = Buffer.from(WAITING_COMMENT)

/** Writes a comment now and then while `work` goes on; only into a stream that has begun: any other can still get an error. */
export async function commentWhile<T>(
  answer: ClientAnswer,
  clock: Pick<Clock, 'sleep'>,
  work: () => Promise<T>,
): Promise<T> {
  if (!answer.started) return work()
  const over = new AbortController()
  void commentUntil(over.signal, answer, clock)
  try {
    return await work()
  } finally {
    over.abort()
  }
}

async function commentUntil(
  signal: AbortSignal,
  answer: ClientAnswer,
  clock: Pick<Clock, 'sleep'>,
): Promise<void> {
  const goesOn = (): Promise<boolean> =>
    clock.sleep(everyMs, signal).then(
      () => true,
      () => false,
    )
  while (await goesOn()) if (answer.betweenEvents) answer.write(comment, false)
}

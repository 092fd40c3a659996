import { describe, expect, test } from 'vitest'
import { Leaving } from '../../../src/proxy/leaving.ts'

describe('Leaving', () => {
  test('when it comes, who waits with its signal and who gave work are told, once', () => {
    const leaving = new Leaving()
    let told = 0
    leaving.onCome(() => {
      told += 1
    })
    const { signal } = leaving
    expect([leaving.hasCome, signal.aborted]).toEqual([false, false])
    leaving.come()
    leaving.come()
    expect([leaving.hasCome, signal.aborted, told]).toEqual([true, true, 1])
  })

  test('who asks after it has come is told at once', () => {
    const leaving = new Leaving()
    leaving.come()
    let told = 0
    leaving.onCome(() => {
      told += 1
    })
    expect([leaving.signal.aborted, told]).toEqual([true, 1])
  })
})

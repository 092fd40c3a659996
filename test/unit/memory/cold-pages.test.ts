import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseFootprintPages, parseStatusPages } from '../../../src/memory/cold-pages.ts'

const MIB = 2 ** 20

function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8')
}

test('a server of a model on a Mac of 24 GB that has been swapped out nearly whole', () => {
  const text = fixture('macos/footprint-p-swapped-wired-mlx-server-m4-24gb-macos26.5.txt')
  expect(parseFootprintPages(text)).toEqual({ totalBytes: 5154 * MIB, coldBytes: 5141 * MIB })
})

test('without that column nothing is known', () => {
  const text = fixture('macos/footprint-pid-mlx-server-compressed-m4-24gb-macos26.5.txt')
  expect(parseFootprintPages(text)).toBeNull()
  expect(parseFootprintPages('')).toBeNull()
})

test('on Linux the kernel counts what of a process is in swap', () => {
  const text = 'Name:\tllama-server\nVmRSS:\t    3072 kB\nRssFile:\t 10 kB\nVmSwap:\t    1024 kB\n'
  expect(parseStatusPages(text)).toEqual({ totalBytes: 4 * MIB, coldBytes: MIB })
  expect(parseStatusPages('Name:\tkworker\n')).toBeNull()
  expect(parseStatusPages(fixture('linux/status.txt'))).toMatchObject({
    coldBytes: expect.any(Number),
  })
})

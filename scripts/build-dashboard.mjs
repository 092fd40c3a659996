/** Builds the dashboard with Vite into dist/dashboard (or the folder named), each file also compressed. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'vite'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const outDir = path.resolve(process.argv[2] ?? path.join(root, 'dist', 'dashboard'))

await build({
  configFile: false,
  root: path.join(root, 'dashboard'),
  base: '/oss20bd/',
  logLevel: 'warn',
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    // Inline scripts and styles are against the page's own policy.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
})

for (const entry of fs.readdirSync(outDir, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue
  const file = path.join(entry.parentPath, entry.name)
  const bytes = fs.readFileSync(file)
  fs.writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }))
  fs.writeFileSync(
    `${file}.br`,
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  )
}

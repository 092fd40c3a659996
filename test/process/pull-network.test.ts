/** The downloader over TLS, and through the proxies that an environment may name. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, expect, test, vi } from 'vitest'
import { makeCertificate } from '../helpers/certificate.ts'
import { makeModel, model, pullRig } from '../helpers/pull-rig.ts'
import { tempDir } from '../helpers/temp-dir.ts'
import { close, listen, sha256Of, startHub } from '../stand-ins/hub.ts'

const puller = fileURLToPath(new URL('../fixtures/puller.mjs', import.meta.url))

afterEach(() => void vi.unstubAllEnvs())

interface Proxy extends AsyncDisposable {
  readonly origin: string
  /** What was asked of it: the host and the name and password that came with it. */
  readonly asked: { readonly host: string; readonly authorization: string | undefined }[]
}

/** Answers `CONNECT` with `status`, and connects when that is 200. */
async function startProxy(status: string): Promise<Proxy> {
  const asked: Proxy['asked'] = []
  const server = createServer()
  server.on('connect', ({ url = '', headers }, socket) => {
    asked.push({ host: url, authorization: headers['proxy-authorization'] })
    if (!status.startsWith('200')) return void socket.end(`HTTP/1.1 ${status}\r\n\r\n`)
    const [host, port] = url.split(':')
    const onward = connect(Number(port), host, () => {
      socket.write(`HTTP/1.1 ${status}\r\n\r\n`)
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) end.on('error', () => onward.destroy())
  })
  const origin = await listen(server)
  return { origin, asked, [Symbol.asyncDispose]: () => close(server) }
}

test('it downloads over TLS, and through a proxy that wants a name and a password', async () => {
  const content = makeModel(9_000_000)
  await using dir = await tempDir()
  const certificate = await makeCertificate(dir)
  await using hub = await startHub(content, (call) => call.serve(), certificate)
  await using proxy = await startProxy('200 OK')
  const file = (name: string): string => dir.file('models', name)
  const pull = (name: string, env: Record<string, string>) => {
    const args = [puller, `${hub.origin}/m.gguf`, file(name), sha256Of(content), content.length]
    const trusted = { NODE_EXTRA_CA_CERTS: certificate.certFile, ...env }
    return execa(process.execPath, [...args.map(String), 'never'], { env: trusted })
  }
  await pull('plain.gguf', {})
  expect((await readFile(file('plain.gguf'))).equals(content)).toBe(true)
  await pull('proxied.gguf', { https_proxy: proxy.origin.replace('//', '//me:p%40ss@') })
  expect((await readFile(file('proxied.gguf'))).equals(content)).toBe(true)
  const authorization = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
  expect(proxy.asked[0]).toEqual({ host: new URL(hub.origin).host, authorization })
})

test('a certificate that is not trusted is told, with what to do, and not tried again', async () => {
  await using dir = await tempDir()
  await using hub = await startHub(model, (call) => call.serve(), await makeCertificate(dir))
  await using rig = await pullRig(() => undefined)
  await expect(rig.pull({ url: `${hub.origin}/m.gguf` })).rejects.toMatchObject({
    code: 'download-failed',
    message: expect.stringMatching(/the certificate of .* is not trusted here \(self-signed cert/),
    hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
  })
  expect(rig.logged).toEqual([])
})

test.each([
  ['407 Proxy Authentication Required', 'it wants a name and a password', 1],
  ['403 Forbidden', '', 1],
  ['502 Bad Gateway', '', 3],
])('a proxy that answers %s is told apart from the hub', async (status, words, attempts) => {
  await using proxy = await startProxy(status)
  await using rig = await pullRig((call) => call.serve())
  vi.stubEnv('http_proxy', proxy.origin)
  vi.stubEnv('no_proxy', '')
  await expect(rig.pull()).rejects.toMatchObject({
    message: expect.stringMatching(
      `the proxy ${new URL(proxy.origin).host} answered ${status.slice(0, 3)}.*${words}`,
    ),
    hint: expect.stringContaining('HTTPS_PROXY'),
  })
  expect(proxy.asked).toHaveLength(attempts)
  expect(rig.hub.requests).toEqual([])
})

test('a kind of proxy that is not known is refused, and its password is not shown', async () => {
  await using rig = await pullRig((call) => call.serve())
  vi.stubEnv('http_proxy', 'socks5://me:secret@127.0.0.1:1080')
  vi.stubEnv('no_proxy', '')
  const refused = await rig.pull().catch((error: unknown) => String(error))
  expect(refused).toContain('its address must begin with http:// or https://')
  expect(refused).not.toContain('secret')
  expect(rig.hub.requests).toEqual([])
})

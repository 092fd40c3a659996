/** A certificate for 127.0.0.1 that nobody trusts but who is told to. */
import { readFile } from 'node:fs/promises'
import { execa } from 'execa'
import type { TempDir } from './temp-dir.ts'

export interface Certificate {
  readonly key: Buffer
  readonly cert: Buffer
  /** Where `cert` is, for NODE_EXTRA_CA_CERTS. */
  readonly certFile: string
}

/** Made anew each time, by the openssl of this machine: no key lies in the repository. */
export async function makeCertificate(dir: TempDir): Promise<Certificate> {
  const keyFile = dir.file('key.pem')
  const certFile = dir.file('cert.pem')
  const what = '-newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1'
  const where = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile]
  await execa('openssl', ['req', '-x509', ...what.split(' '), ...where])
  return { key: await readFile(keyFile), cert: await readFile(certFile), certFile }
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Issued, TestCa } from '../../test/support/certificates.ts'

export const SERVER_NAME = 'localhost'

/** One certificate for all sides; what differs between peers is not whom they trust. */
export interface Certificates extends Issued {
  readonly caFile: string
  /** Certificate and key in one file, as haproxy wants them. */
  readonly bundleFile: string
  remove(): void
}

export function issueCertificates(): Certificates {
  const ca = new TestCa('lateen-bench')
  const issued = ca.issue(SERVER_NAME, { altNames: [`DNS:${SERVER_NAME}`, 'IP:127.0.0.1'] })
  const bundleFile = join(ca.dir, 'bundle.pem')
  writeFileSync(bundleFile, issued.cert + issued.key, { mode: 0o600 })
  return { ...issued, caFile: ca.certFile, bundleFile, remove: () => ca.remove() }
}

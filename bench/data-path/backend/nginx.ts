import { findPeer } from '../../../test/peers/peers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { nginxFrame } from '../configs/nginx.ts'
import { LOAD_CORE } from '../settings.ts'
import type { Workplace } from '../workplace.ts'

export interface BackendShape {
  readonly protocol: 'http1' | 'http2'
  readonly hasTls: boolean
  readonly bodyBytes: number
}

/** nginx can hold so much in its configuration; more comes from a file. */
const MAX_INLINE_BYTES = 1024

/** An nginx that answers every request with a body of `bodyBytes`; returns its port. */
export async function startBackend(work: Workplace, shape: BackendShape): Promise<number> {
  const nginx = findPeer('nginx')
  if (nginx === undefined) throw new Error('nginx is needed; run: npm run peers')
  const port = await freePort()
  const { certFile, keyFile } = work.certificates
  const flags = `${shape.hasTls ? ' ssl' : ''}${shape.protocol === 'http2' ? ' http2' : ''}`
  const tls = shape.hasTls ? `ssl_protocols TLSv1.3; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};` : ''
  const server = `server {
    listen 127.0.0.1:${port} backlog=4096${flags}; ${tls}
    location / { default_type text/plain; ${answer(work, shape.bodyBytes)} }
  }`
  const config = work.file('backend.conf', nginxFrame(`${work.dir}/backend-${port}.pid`, server))
  await work.serve([nginx, '-e', 'stderr', '-c', config], LOAD_CORE, port)
  return port
}

function answer(work: Workplace, bytes: number): string {
  if (bytes <= MAX_INLINE_BYTES) return `return 200 "${'x'.repeat(bytes)}";`
  const file = work.file('body', Buffer.alloc(bytes, 'x'))
  return `sendfile on; root ${work.dir}; try_files /${file.slice(work.dir.length + 1)} =500;`
}

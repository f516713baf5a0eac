import { freePort } from '../../../test/support/free-port.ts'
import { distFile } from '../dist.ts'
import { LOAD_CORE } from '../settings.ts'
import type { Workplace } from '../workplace.ts'

/** Starts the gRPC server of the bench; returns its port. */
export async function startGrpcBackend(work: Workplace): Promise<number> {
  const port = await freePort()
  const server = distFile('bench/data-path/backend/grpc-server.js')
  await work.serve([process.execPath, server, String(port)], LOAD_CORE, port)
  return port
}

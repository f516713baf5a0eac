import { run } from '../../process.ts'
import { distFile } from '../dist.ts'
import { LOAD_CORE, PROXY_CORE } from '../settings.ts'

/**
 * Nanoseconds that a number needs from the one core to the other and back. Virtual cores are moved by their host: while they share no cache, it takes
 * several times as long, as does everything that load tool, proxy and backend hand to each other in the kernel.
 */
export async function coreDistanceNs(): Promise<number> {
  const { output } = run(
    process.execPath,
    [distFile('bench/data-path/cores/ping-pong.js')],
    `${PROXY_CORE},${LOAD_CORE}`,
  )
  return Number(await output)
}

import { peerOrSkip } from '../peers/peers.ts'

/** Redirecting and dropping packets needs root, iptables and ip. */
export function canFilterPackets(): boolean {
  const programs = [peerOrSkip('iptables'), peerOrSkip('ip')]
  if (process.getuid?.() === 0) return programs.every((program) => program !== undefined)
  process.stderr.write('skipped: only root can have a network namespace\n')
  return false
}

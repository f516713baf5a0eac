import { readdirSync, readFileSync } from 'node:fs'

/** The processes that have this one as their parent, by Linux's /proc. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((candidate) => candidate > 0 && fieldsOf(candidate)[1] === String(pid))
}

/** Whether a process runs. One that ended and that nobody has asked about yet does not. */
export function isRunning(pid: number): boolean {
  const state = fieldsOf(pid)[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** State, parent and so on: what follows the name, which is in parentheses and may hold anything. */
function fieldsOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

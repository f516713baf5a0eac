import { systemClock } from '../../lib/clock.ts'
import { env } from '../../lib/env.ts'

const LOOK_EVERY_MS = 500

/** Resolves when the user, or whoever runs this, wants it to end. */
export function interruption(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    // The reader of a pipe is gone: `lateen demo | head`.
    process.stdout.on('error', () => resolve())
    // npx does not hand signals on to what it runs.
    if (env('npm_command') !== '') whenOrphaned(process.ppid, resolve)
  })
}

/** Calls back when this process has another parent than it had. */
function whenOrphaned(parent: number, callback: () => void): void {
  systemClock.setTimer(LOOK_EVERY_MS, () => {
    if (process.ppid === parent) whenOrphaned(parent, callback)
    else callback()
  })
}

import { errorText } from '../../../lib/errors.ts'
import type { HandlerEnvironment } from '../adapter.ts'
import type { StdioParams } from './stdio.ts'

/** Lines wait here until the stream is open; beyond, and beyond what pino holds for a slow disk, they are dropped and counted. */
const MAX_WAITING = 10_000
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024
const STDOUT = 1
const STDERR = 2

export interface LogStream {
  /** Without its line feed. Never waits. */
  write(line: string): void
  /** Writes out what is there. */
  close(): Promise<void>
}

/** What pino gives: a stream that writes behind, in few large pieces. */
interface Destination {
  write(text: string): unknown
  end(): void
  on(event: string, listener: (...args: never[]) => void): unknown
  once(event: string, listener: () => void): unknown
}

/** It has no types of its own. */
const ROLL: string = 'pino-roll'

export function openStream(params: StdioParams, environment: HandlerEnvironment): LogStream {
  const { log, key, metrics } = environment
  const dropped = metrics.counter('stdio_lines_dropped_total')
  let waiting: string[] = []
  let destination: Destination | undefined
  let isBroken = false
  const opening = open(params).then(
    (opened) => {
      destination = opened
      opened.on('error', (error: unknown) =>
        log.warning('a log cannot be written', { handler: key, error: errorText(error) }),
      )
      opened.on('drop', () => dropped.inc())
      for (const line of waiting) opened.write(line)
      waiting = []
    },
    (thrown) => {
      isBroken = true
      log.error('a log cannot be opened', { handler: key, error: errorText(thrown) })
    },
  )
  return {
    write(line) {
      const text = `${line}\n`
      if (destination !== undefined) destination.write(text)
      else if (waiting.length < MAX_WAITING && !isBroken) waiting.push(text)
      else dropped.inc()
    },
    async close() {
      await opening
      const opened = destination
      if (opened === undefined) return
      const closed = new Promise<void>((resolve) => {
        opened.once('close', resolve)
        opened.once('error', resolve)
      })
      opened.end()
      await closed
    },
  }
}

async function open(params: StdioParams): Promise<Destination> {
  const { logStream = 'STDOUT', outputPath = '' } = params
  if (logStream === 'ROTATED_FILE') {
    const { default: roll } = (await import(ROLL)) as { default: (options: object) => Promise<Destination> }
    const { maxMegabytesBeforeRotation = 100, maxRotatedFiles = 1000 } = params
    return roll({
      file: outputPath,
      size: `${maxMegabytesBeforeRotation}m`,
      limit: { count: maxRotatedFiles },
      mkdir: true,
      maxLength: MAX_BUFFERED_BYTES,
    })
  }
  const { pino } = await import('pino')
  const dest = logStream === 'FILE' ? outputPath : logStream === 'STDERR' ? STDERR : STDOUT
  const opened = pino.destination({ dest, sync: false, mkdir: true, maxLength: MAX_BUFFERED_BYTES })
  return opened as unknown as Destination
}

import { env } from './env.ts'

export const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'off'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warning(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

let threshold: number = Math.max(0, LOG_LEVELS.indexOf(env('LATEEN_LOG_LEVEL') as LogLevel))

export function setLogLevel(level: LogLevel): void {
  threshold = LOG_LEVELS.indexOf(level)
}

export function logLevel(): LogLevel {
  return LOG_LEVELS[threshold] ?? 'info'
}

/** One JSON object a line on standard error. `scope` names the component. */
export function createLogger(scope: string): Logger {
  const at = (level: LogLevel) => {
    const rank = LOG_LEVELS.indexOf(level)
    return (message: string, fields?: Record<string, unknown>) => {
      if (rank < threshold) return
      process.stderr.write(`${JSON.stringify({ level, scope, message, ...fields })}\n`)
    }
  }
  return { debug: at('debug'), info: at('info'), warning: at('warning'), error: at('error') }
}

export const silentLogger: Logger = { debug() {}, info() {}, warning() {}, error() {} }

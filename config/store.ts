import type { Finding } from './finding.ts'
import type { ConfigObject } from './object.ts'

/**
 * What a source of configuration offers: the valid objects, and what is wrong with the rest. An object that became
 * invalid stays here in its last good version, with an error finding for the broken one.
 */
export interface ConfigSnapshot {
  readonly objects: readonly ConfigObject[]
  readonly findings: readonly Finding[]
}

export interface ConfigSource {
  current(): ConfigSnapshot
  /** Called after every change. Returns the function that stops the calls. */
  onChange(listener: (snapshot: ConfigSnapshot) => void): () => void
  close(): void
}

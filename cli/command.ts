import type { Command } from 'commander'

/** One verb: a file in commands/ that exports `command`, and a line in main.ts. */
export interface CliCommand {
  /** Adds the verb with its options and action to the program. */
  register(program: Command): void
}

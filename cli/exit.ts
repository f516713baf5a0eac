/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  internal: 1,
  /** `simulate`: an expectation of the scenario is not met. */
  expectation: 1,
  /** The command line is wrong. */
  usage: 64,
  /** A file or its content is wrong. */
  badInput: 65,
  /** `analyze` found something. */
  findings: 79,
  timeout: 124,
} as const

/** Ends the command with a message for the user instead of a stack trace. */
export class CliError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.badInput) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

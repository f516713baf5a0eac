/** What is wrong with an expression. */
export class ExpressionError extends Error {
  /** Where, in characters from 1. */
  readonly position: number

  constructor(position: number, message: string) {
    super(message)
    this.position = position
  }

  /** `at character 12: ...` */
  describe(): string {
    return `at character ${this.position}: ${this.message}`
  }
}

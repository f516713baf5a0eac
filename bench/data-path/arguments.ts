export interface BenchArguments {
  /** Names of cases; none means all. */
  readonly cases: readonly string[]
  /** Put the figures into docs/performance.md. */
  readonly writes: boolean
  /** The date to write, as YYYY-MM-DD; today's when absent. */
  readonly date: string | undefined
}

/** `[case...] [--write] [--date YYYY-MM-DD]`. Throws what is wrong with them. */
export function parseArguments(args: readonly string[], known: readonly string[]): BenchArguments {
  const cases: string[] = []
  let writes = false
  let date: string | undefined
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string
    if (arg === '--write') writes = true
    else if (arg === '--date') {
      date = args[++i]
      if (!/^\d{4}-\d\d-\d\d$/.test(date ?? '')) throw new Error('--date takes YYYY-MM-DD')
    } else if (known.includes(arg)) cases.push(arg)
    else throw new Error(`no case ${arg}: ${known.join(', ')}`)
  }
  return { cases, writes, date }
}

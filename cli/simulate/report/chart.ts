const HEIGHT = 6

/**
 * A chart in plain characters: one column a slice, `#` for what is reached. `null` leaves a column empty. Ends with the line of the
 * time, from 0 to `endText`.
 */
export function formatChart(
  title: string,
  values: readonly (number | null)[],
  endText: string,
  format: (value: number) => string,
): string {
  const known = values.filter((value): value is number => value !== null)
  const top = niceTop(Math.max(0, ...known))
  const labels = Array.from({ length: HEIGHT }, (_, row) => format((top * (HEIGHT - row)) / HEIGHT))
  const width = Math.max(...labels.map((label) => label.length), 1)
  const lines = [title]
  for (let row = 0; row < HEIGHT; row++) {
    // A column reaches a row when it fills at least half of it.
    const least = (top * (HEIGHT - row - 0.5)) / HEIGHT
    const cells = values.map((value) => (value !== null && value > 0 && value >= least ? '#' : ' ')).join('')
    lines.push(`  ${(labels[row] as string).padStart(width)} |${cells}`.trimEnd())
  }
  lines.push(`  ${format(0).padStart(width)} +${'-'.repeat(values.length)}`)
  const end = endText.padStart(Math.max(0, values.length - 1))
  lines.push(`  ${' '.repeat(width)}  0${end}`)
  return `${lines.join('\n')}\n`
}

/** The least of 1, 1.5, 2, 3, 5 times a power of ten that is no less. */
function niceTop(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  for (const step of [1, 1.5, 2, 3, 5]) if (value <= step * power * (1 + 1e-9)) return step * power
  return 10 * power
}

/** One series of a page in Prometheus' text format. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric with all its series. */
export interface Family {
  readonly type: string
  readonly series: Series[]
}

/** Reads a page in Prometheus' text format. Series of a histogram belong to the family they are parts of. */
export function parsePage(page: string): Map<string, Family> {
  const families = new Map<string, Family>()
  let current: Family | undefined
  for (const line of page.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (type !== null) {
      current = { type: type[2] as string, series: [] }
      families.set(type[1] as string, current)
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (sample === null) continue
    const labels = [...(sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((found) => [found[1], found[2]])
    current?.series.push({
      name: sample[1] as string,
      labels: Object.fromEntries(labels),
      value: Number(sample[3]),
    })
  }
  return families
}

/** The names of the labels of a family's series, each set of them once. */
export function labelNames({ series }: Family): string[] {
  return [...new Set(series.map(({ labels }) => Object.keys(labels).sort().join(',')))].sort()
}

/** The sum of a family's series with this name that have these labels among theirs; undefined where there is none. */
export function seriesSum(
  families: ReadonlyMap<string, Family>,
  name: string,
  wanted: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(/_(count|sum|bucket)$/, ''))
  const found = (family?.series ?? []).filter(
    (series) => series.name === name && Object.entries(wanted).every(([key, value]) => series.labels[key] === value),
  )
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0)
}

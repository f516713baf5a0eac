export type Severity = 'critical' | 'warning' | 'info'

/** A series of a unit test in promtool's notation: `0+1x30` begins at 0 and adds 1 each minute, thirty times. */
export type TestSeries = readonly [series: string, values: string]

export interface Alert {
  readonly name: string
  readonly expr: string
  /** How long it must hold, in Prometheus' notation. */
  readonly for: string
  readonly severity: Severity
  readonly summary: string
  /** What it means and what to do, as one would at night. */
  readonly description: string
  readonly test: {
    /** When promtool asks, from the start of the series. */
    readonly at: string
    /** With these it fires once, with these labels (`alertname` and `severity` aside) and this summary. */
    readonly fires: {
      readonly series: readonly TestSeries[]
      readonly labels: Readonly<Record<string, string>>
      readonly summary: string
    }
    /** With these it does not. */
    readonly quiet: readonly TestSeries[]
  }
}

export type PanelKind = 'timeseries' | 'stat' | 'table' | 'heatmap'

/** Units as Grafana names them. */
export type Unit = 'short' | 'reqps' | 'ops' | 'percentunit' | 'ms' | 's' | 'bytes' | 'Bps' | 'dateTimeFromNow'

export interface Query {
  readonly expression: string
  /** With `{{label}}`; in a table, the name of the column. */
  readonly legend: string
  /** Of this column of a table; else the panel's. */
  readonly unit?: Unit
}

export interface Panel {
  readonly kind: PanelKind
  readonly title: string
  /** What is seen, and what to do about it. */
  readonly description: string
  readonly unit: Unit
  /** Of the 24 columns. */
  readonly width: number
  readonly height: number
  readonly queries: readonly Query[]
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

/** What is chosen at the top of a dashboard. */
export interface Variable {
  readonly name: string
  readonly label: string
  /** What is offered: the values of `label` in an expression, or a fixed list. */
  readonly values: { readonly expression: string; readonly of: string } | readonly string[]
  /** More than one, and all of them, can be chosen. */
  readonly multi: boolean
}

export interface Dashboard {
  /** Of the file and of the address in Grafana. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: readonly Variable[]
  readonly rows: readonly Row[]
}

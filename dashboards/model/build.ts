import type { Panel, PanelKind, Query, Row, Unit, Variable } from './dashboard.ts'

export interface PanelText {
  readonly title: string
  /** What is seen. */
  readonly shows: string
  /** What to do about it. */
  readonly act: string
}

export interface PanelShape {
  readonly width?: number
  readonly height?: number
}

const HEIGHT = 8
const WIDTH: Record<PanelKind, number> = { timeseries: 8, stat: 4, table: 24, heatmap: 12 }

function panel(
  kind: PanelKind,
  { title, shows, act }: PanelText,
  unit: Unit,
  queries: readonly Query[],
  shape: PanelShape,
): Panel {
  const { width = WIDTH[kind], height = kind === 'stat' ? HEIGHT / 2 : HEIGHT } = shape
  return { kind, title, description: `${shows} ${act}`, unit, width, height, queries }
}

export function graph(text: PanelText, unit: Unit, queries: readonly Query[], shape: PanelShape = {}): Panel {
  return panel('timeseries', text, unit, queries, shape)
}

/** One number. */
export function stat(text: PanelText, unit: Unit, expression: string, shape: PanelShape = {}): Panel {
  return panel('stat', text, unit, [query(expression, text.title)], shape)
}

/** A row for each set of labels, a column for each query. */
export function table(text: PanelText, columns: readonly Query[], shape: PanelShape = {}): Panel {
  return panel('table', text, 'short', columns, shape)
}

/** Of a histogram's buckets. */
export function heatmap(text: PanelText, unit: Unit, expression: string, shape: PanelShape = {}): Panel {
  return panel('heatmap', text, unit, [query(expression, '{{le}}')], shape)
}

export function query(expression: string, legend: string, unit?: Unit): Query {
  return unit === undefined ? { expression, legend } : { expression, legend, unit }
}

export function row(title: string, panels: readonly Panel[]): Row {
  return { title, panels }
}

/** Offers the values of the label `of` in what `expression` has. */
export function choice(name: string, label: string, of: string, expression: string, multi = false): Variable {
  return { name, label, values: { expression, of }, multi }
}

export function fixedChoice(name: string, label: string, values: readonly string[]): Variable {
  return { name, label, values, multi: false }
}

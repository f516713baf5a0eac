import type { Dashboard, Panel, Query, Variable } from './dashboard.ts'

const COLUMNS = 24
const ROW_HEIGHT = 1
const SCHEMA_VERSION = 39
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana that fills it in
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

export interface GrafanaTarget {
  readonly refId: string
  readonly expr: string
}

export interface GrafanaPanel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly GrafanaTarget[]
  /** Whatever else Grafana reads. */
  readonly [more: string]: unknown
}

/** What Grafana imports. */
export function grafanaJson(dashboard: Dashboard): {
  readonly panels: readonly GrafanaPanel[]
  readonly [more: string]: unknown
} {
  return {
    ...{ uid: dashboard.uid, title: dashboard.title, description: dashboard.description, tags: ['lateen'] },
    ...{ schemaVersion: SCHEMA_VERSION, version: 1, editable: true, graphTooltip: 1, timezone: 'browser' },
    ...{ refresh: '15s', time: { from: 'now-30m', to: 'now' }, annotations: { list: [] }, links: [otherDashboards()] },
    templating: { list: [datasource(), ...dashboard.variables.map(variableJson)] },
    panels: layOut(dashboard),
  }
}

function otherDashboards() {
  return { type: 'dashboards', title: 'Lateen', tags: ['lateen'], asDropdown: true, includeVars: true, keepTime: true }
}

/** Panels from left to right, and on below the tallest of a line when one does not fit. */
function layOut({ rows }: Dashboard): GrafanaPanel[] {
  const placed: GrafanaPanel[] = []
  let y = 0
  for (const { title, panels } of rows) {
    const gridPos = { x: 0, y, w: COLUMNS, h: ROW_HEIGHT }
    placed.push({ id: placed.length + 1, type: 'row', title, gridPos, ...{ collapsed: false, panels: [] } })
    y += ROW_HEIGHT
    let x = 0
    let tallest = 0
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) {
        y += tallest
        x = 0
        tallest = 0
      }
      placed.push(panelJson(placed.length + 1, panel, { x, y, w: panel.width, h: panel.height }))
      x += panel.width
      tallest = Math.max(tallest, panel.height)
    }
    y += tallest
  }
  return placed
}

function panelJson(id: number, panel: Panel, gridPos: GrafanaPanel['gridPos']): GrafanaPanel {
  const { kind, title, description, unit, queries } = panel
  const common = { id, type: kind, title, description, gridPos, datasource: DATASOURCE }
  const targets = queries.map((query, i) => targetJson(panel, query, refId(i)))
  const fieldConfig = { defaults: { unit, ...(unit === 'percentunit' && { max: 1 }) }, overrides: overrides(panel) }
  return { ...common, targets, fieldConfig, ...optionsOf(panel) }
}

function targetJson({ kind }: Panel, { expression, legend }: Query, refId: string) {
  const instant = kind === 'table' || kind === 'stat'
  const format = kind === 'table' || kind === 'heatmap' ? kind : 'time_series'
  return { refId, expr: expression, legendFormat: legend, format, instant, range: !instant, datasource: DATASOURCE }
}

/** A table's columns have their own names and units. */
function overrides({ kind, queries }: Panel) {
  if (kind !== 'table') return []
  return queries.map(({ legend, unit }) => ({
    matcher: { id: 'byName', options: legend },
    properties: [{ id: 'unit', value: unit ?? 'short' }],
  }))
}

function optionsOf({ kind, queries, unit }: Panel): object {
  switch (kind) {
    case 'timeseries':
      return {
        options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
      }
    case 'stat':
      return {
        options: { reduceOptions: { calcs: ['lastNotNull'], values: false }, colorMode: 'value', graphMode: 'area' },
      }
    case 'heatmap':
      return { options: { calculate: false, yAxis: { unit }, cellGap: 1 } }
    case 'table': {
      const values = queries.map(({ legend }, i) => [queries.length === 1 ? 'Value' : `Value #${refId(i)}`, legend])
      return {
        options: { showHeader: true },
        transformations: [
          { id: 'merge', options: {} },
          { id: 'organize', options: { excludeByName: { Time: true }, renameByName: Object.fromEntries(values) } },
        ],
      }
    }
  }
}

function refId(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index)
}

function datasource() {
  return { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' }
}

function variableJson({ name, label, values, multi }: Variable): object {
  if ('expression' in values) {
    const all = multi ? { includeAll: true, allValue: '.*', current: { text: ['All'], value: ['$__all'] } } : {}
    return {
      ...{ name, label, type: 'query', datasource: DATASOURCE, multi, ...all, refresh: 2, sort: 1 },
      query: { query: `query_result(${values.expression})`, refId: name },
      regex: `/[{,]${values.of}="([^"]*)"/`,
    }
  }
  const options = values.map((value, i) => ({ text: value, value, selected: i === 0 }))
  return { name, label, type: 'custom', query: values.join(','), options, current: options[0], multi: false }
}

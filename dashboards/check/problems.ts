import type { Dashboard } from '../model/dashboard.ts'
import { type GrafanaPanel, grafanaJson } from '../model/grafana.ts'
import { unknownNames } from './vocabulary.ts'

const COLUMNS = 24
const GRAFANAS_OWN = new Set(['__rate_interval'])

/** What is wrong with a dashboard, a sentence each. */
export function problemsOf(dashboard: Dashboard): string[] {
  const { panels } = grafanaJson(dashboard)
  return [...textProblems(dashboard), ...queryProblems(dashboard), ...gridProblems(panels)]
}

function textProblems({ rows }: Dashboard): string[] {
  const problems: string[] = []
  for (const { title, panels } of rows) {
    const titles = new Set<string>()
    for (const panel of panels) {
      if (panel.title.trim() === '') problems.push(`row ${title}: a panel without a title`)
      if (titles.has(panel.title)) problems.push(`row ${title}: two panels "${panel.title}"`)
      titles.add(panel.title)
      const sentences = panel.description.split(/[.;:?] |\.$/).filter((sentence) => sentence !== '')
      if (sentences.length < 2) problems.push(`${panel.title}: says what it shows, or what to do, but not both`)
      if (panel.queries.length === 0) problems.push(`${panel.title}: asks nothing`)
      const legends = panel.queries.map(({ legend }) => legend)
      if (legends.some((legend) => legend === '') || new Set(legends).size < legends.length)
        problems.push(`${panel.title}: legends are empty or not distinct`)
    }
  }
  return problems
}

function queryProblems({ rows, variables }: Dashboard): string[] {
  const problems: string[] = []
  const earlier = new Set(GRAFANAS_OWN)
  const check = (where: string, expression: string) => {
    problems.push(...unknownNames(expression).map((problem) => `${where}: ${problem}`))
    for (const [, name] of expression.matchAll(/\$\{?(\w+)/g)) {
      if (!earlier.has(name as string)) problems.push(`${where}: no variable $${name} before it`)
    }
    for (const [window] of expression.matchAll(/\[[^\]]*\]/g)) {
      if (window !== '[$__rate_interval]') problems.push(`${where}: the window ${window} is fixed`)
    }
  }
  for (const { name, values } of variables) {
    if ('expression' in values) check(`variable ${name}`, values.expression)
    earlier.add(name)
  }
  for (const { panels } of rows) {
    for (const panel of panels) for (const { expression } of panel.queries) check(panel.title, expression)
  }
  const used = JSON.stringify({ rows, variables })
  for (const { name } of variables) if (!used.includes(`$${name}`)) problems.push(`variable ${name} is not used`)
  return problems
}

/** Panels have ids of their own, stay within the columns, and cover nothing twice. */
export function gridProblems(panels: readonly GrafanaPanel[]): string[] {
  const problems: string[] = []
  const ids = new Set<number>()
  const covered = new Map<string, string>()
  for (const { id, title, gridPos } of panels) {
    if (ids.has(id)) problems.push(`${title}: its id ${id} is another's`)
    ids.add(id)
    if (gridPos.x < 0 || gridPos.w < 1 || gridPos.h < 1 || gridPos.x + gridPos.w > COLUMNS)
      problems.push(`${title}: outside of the columns`)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        const other = covered.get(`${x},${y}`)
        if (other !== undefined) problems.push(`${title}: lies on ${other} at ${x},${y}`)
        covered.set(`${x},${y}`, title)
      }
    }
  }
  return problems
}

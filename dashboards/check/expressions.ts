import type { Dashboard } from '../model/dashboard.ts'
import { ALL, type Chosen, substitute } from './substitute.ts'

/** A query as it is sent, and where it is from. */
export interface Sent {
  readonly where: string
  readonly expression: string
}

/** Every query of a dashboard's panels and variables with these choices; what is not chosen is all, or the first of a list. */
export function sentBy(dashboard: Dashboard, chosen: Readonly<Record<string, Chosen>>, window: string): Sent[] {
  const choices: Record<string, Chosen> = {}
  for (const { name, values } of dashboard.variables) {
    choices[name] = chosen[name] ?? ('expression' in values ? ALL : (values[0] as string))
  }
  const sent: Sent[] = []
  for (const { name, values } of dashboard.variables) {
    if (!('expression' in values)) continue
    sent.push({
      where: `${dashboard.title}, variable ${name}`,
      expression: substitute(values.expression, choices, window),
    })
  }
  for (const { panels } of dashboard.rows) {
    for (const { title, queries } of panels) {
      for (const { expression, legend } of queries) {
        sent.push({
          where: `${dashboard.title}, ${title}, ${legend}`,
          expression: substitute(expression, choices, window),
        })
      }
    }
  }
  return sent
}

export type Labels = Readonly<Record<string, string>>

/** Whether every label of the selector is there with its value. An empty selector selects everything. */
export function labelsMatch(selector: Labels | undefined, labels: Labels): boolean {
  for (const key in selector) if (labels[key] !== selector[key]) return false
  return true
}

export function isEmptySelector(selector: Labels | undefined): boolean {
  for (const _key in selector) return false
  return true
}

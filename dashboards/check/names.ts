/** What a PromQL expression names. */
export interface Names {
  /** Metric -> labels of its conditions. A metric may be there more than once. */
  readonly selectors: readonly { readonly metric: string; readonly labels: readonly string[] }[]
  /** Labels of `by`, `on` and their like. */
  readonly grouped: readonly string[]
}

const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'])
const GROUPING = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right'])
const TOKEN = /"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|\d[\w.]*|[{}()]|=~|!~|!=|==|[^\s]/g

/** Knows names from the words around them only: that the expression is PromQL is for promtool to say. */
export function namesIn(expression: string): Names {
  const tokens: readonly string[] = expression.match(TOKEN) ?? []
  const selectors: { metric: string; labels: string[] }[] = []
  const grouped: string[] = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as string
    if (!isName(token)) continue
    const next = tokens[i + 1]
    if (GROUPING.has(token)) {
      if (next !== '(') continue
      const end = tokens.indexOf(')', i)
      grouped.push(...tokens.slice(i + 2, end).filter(isName))
      i = end
    } else if (next === '{') {
      const end = tokens.indexOf('}', i)
      selectors.push({ metric: token, labels: tokens.slice(i + 2, end).filter(isName) })
      i = end
    } else if (next !== '(' && !WORDS.has(token) && !GROUPING.has(next ?? '')) {
      selectors.push({ metric: token, labels: [] })
    }
  }
  return { selectors, grouped }
}

function isName(token: string): boolean {
  return /^[a-zA-Z_:]/.test(token)
}

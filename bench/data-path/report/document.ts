/** What stands below this line in docs/performance.md is kept as it is. */
export const MARKER = '<!-- what follows is written by hand -->'

const HEADING = /^## (.+)$/

/**
 * The document with these sections in place of those of the same name; sections that were not measured this time stay,
 * and so does everything below the marker. `order` names all cases; a section that is none of them goes.
 */
export function mergeDocument(
  before: string,
  head: string,
  sections: ReadonlyMap<string, string>,
  order: readonly string[],
): string {
  const at = before.indexOf(MARKER)
  const kept = sectionsOf(at < 0 ? before : before.slice(0, at))
  const byHand = at < 0 ? '\n' : before.slice(at + MARKER.length)
  const found = order.flatMap((name) => sections.get(name) ?? kept.get(name) ?? [])
  return `${[head, ...found].map((part) => `${part.trimEnd()}\n`).join('\n')}\n${MARKER}${byHand}`
}

function sectionsOf(text: string): Map<string, string> {
  const sections = new Map<string, string>()
  let name: string | undefined
  for (const line of text.split('\n')) {
    name = HEADING.exec(line)?.[1] ?? name
    if (name !== undefined) sections.set(name, `${sections.get(name) ?? ''}${line}\n`)
  }
  return sections
}

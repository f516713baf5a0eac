/** Text that is HTML already. */
export interface Html {
  readonly text: string
}

type Part = string | number | Html | readonly Part[]

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A template whose values are escaped, unless they are HTML themselves. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return { text: strings.map((literal, i) => (i === 0 ? '' : render(values[i - 1] ?? '')) + literal).join('') }
}

function render(part: Part): string {
  if (Array.isArray(part)) return part.map(render).join('')
  if (typeof part === 'object') return (part as Html).text
  return String(part).replace(/[&<>"']/g, (char) => ESCAPES[char] as string)
}

/** A chosen value; several, for a variable with `multi`; or `all`. */
export type Chosen = string | readonly string[]

/** What Grafana puts in the place of a variable for which all is chosen. */
export const ALL = '$__all'

/**
 * An expression as Grafana sends it: values stand in regular expressions inside strings, so each is escaped for both;
 * several become alternatives. Throws for a variable that nothing is chosen for.
 */
export function substitute(expression: string, chosen: Readonly<Record<string, Chosen>>, window: string): string {
  return expression.replace(/\$(\w+)|\$\{(\w+)\}/g, (_, plain: string | undefined, braced: string | undefined) => {
    const name = plain ?? braced ?? ''
    if (name === '__rate_interval') return window
    const value = chosen[name]
    if (value === undefined) throw new Error(`nothing is chosen for $${name}`)
    if (value === ALL) return '.*'
    if (typeof value === 'string') return escapeValue(value)
    return value.length === 1 ? escapeValue(value[0] as string) : `(${value.map(escapeValue).join('|')})`
  })
}

function escapeValue(value: string): string {
  return value.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&')
}

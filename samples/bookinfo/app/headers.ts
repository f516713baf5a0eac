import type { IncomingHttpHeaders } from 'node:http'

/** What a service hands on with every call it makes, so that routes can see the user. Of traces it knows nothing. */
const HANDED_ON = ['authorization', 'user-agent', 'end-user']

export function handedOn(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of HANDED_ON) {
    const value = headers[name]
    if (typeof value === 'string') kept[name] = value
  }
  return kept
}

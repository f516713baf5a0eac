import type { HTTPRoute, VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import type { PlainObject } from '../parse/objects.ts'

/**
 * Moves deprecated fields that still have a meaning to their successors, so that whoever reads an object knows only
 * these. A successor that is given wins.
 */
export function modernize(kind: string, body: PlainObject): PlainObject {
  if (kind !== 'VirtualService') return body
  const { spec } = body as unknown as VirtualServiceBody
  const http = spec.http?.map(modernizeRoute)
  if (http === undefined || http.every((route, index) => route === spec.http?.[index])) return body
  return Object.freeze({ ...body, spec: Object.freeze({ ...spec, http: Object.freeze(http) }) })
}

function modernizeRoute(route: HTTPRoute): HTTPRoute {
  const { mirrorPercent, mirror_percent, ...rest } = route
  const percent = mirrorPercent ?? mirror_percent
  let modern: HTTPRoute = route
  if (percent !== undefined) modern = { ...rest, mirrorPercentage: rest.mirrorPercentage ?? { value: percent } }
  const delay = modern.fault?.delay
  if (delay?.percent !== undefined) {
    const { percent: delayPercent, ...delayRest } = delay
    const percentage = delay.percentage ?? { value: delayPercent }
    modern = { ...modern, fault: { ...modern.fault, delay: { ...delayRest, percentage } } }
  }
  const cors = modern.corsPolicy
  if (cors?.allowOrigin !== undefined) {
    const { allowOrigin, ...corsRest } = cors
    const origins = allowOrigin.map((origin) => (origin === '*' ? { regex: '.*' } : { exact: origin }))
    modern = { ...modern, corsPolicy: { ...corsRest, allowOrigins: cors.allowOrigins ?? origins } }
  }
  return modern === route ? route : frozen(modern)
}

function frozen<T>(value: T): T {
  if (value === null || typeof value !== 'object' || Object.isFrozen(value)) return value
  for (const child of Object.values(value)) frozen(child)
  return Object.freeze(value)
}

import type { Destination, VirtualServiceSpec } from '../../crds/kinds/virtual-service.ts'
import type { FieldPath } from '../object.ts'

export interface PlacedDestination {
  destination: Destination
  path: FieldPath
  /** True for copies of calls, whose answers nobody waits for. */
  mirror: boolean
}

/** Every destination that a VirtualService names. */
export function* destinationsOf(spec: VirtualServiceSpec): Generator<PlacedDestination> {
  for (const [index, route] of (spec.http ?? []).entries()) {
    const path = ['spec', 'http', index]
    yield* destinationsIn(route.route, [...path, 'route'])
    if (route.mirror !== undefined) yield { destination: route.mirror, path: [...path, 'mirror'], mirror: true }
    for (const [at, policy] of (route.mirrors ?? []).entries()) {
      yield { destination: policy.destination, path: [...path, 'mirrors', at, 'destination'], mirror: true }
    }
  }
  for (const kind of ['tls', 'tcp'] as const) {
    for (const [index, route] of (spec[kind] ?? []).entries()) {
      yield* destinationsIn(route.route, ['spec', kind, index, 'route'])
    }
  }
}

function* destinationsIn(
  routes: readonly { destination: Destination }[] | undefined,
  path: FieldPath,
): Generator<PlacedDestination> {
  for (const [index, { destination }] of (routes ?? []).entries()) {
    yield { destination, path: [...path, index, 'destination'], mirror: false }
  }
}

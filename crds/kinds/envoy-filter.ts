import { type Static, Type } from '@sinclair/typebox'
import { message, oneOf, partial, unsupported } from '../schema.ts'
import { WorkloadSelector } from './common.ts'
import { body } from './object.ts'

const anything = (description: string) => Type.Unsafe<Record<string, unknown>>({ ...partial({}), description })

export const EnvoyConfigObjectMatch = message({
  context: Type.Optional(oneOf(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY', 'WAYPOINT'])),
  proxy: Type.Optional(anything('By version and metadata of the proxy.')),
  listener: Type.Optional(anything('portNumber, name, and filterChain with the names of a filter and its subFilter.')),
  routeConfiguration: Type.Optional(anything('name, portNumber, and vhost with its name and that of a route.')),
  cluster: Type.Optional(anything('Which clusters.')),
  waypoint: Type.Optional(anything('Which waypoints.')),
})
export type EnvoyConfigObjectMatch = Static<typeof EnvoyConfigObjectMatch>

export const EnvoyConfigObjectPatch = message({
  applyTo: Type.Optional(
    oneOf([
      'INVALID',
      'LISTENER',
      'FILTER_CHAIN',
      'NETWORK_FILTER',
      'HTTP_FILTER',
      'ROUTE_CONFIGURATION',
      'VIRTUAL_HOST',
      'HTTP_ROUTE',
      'CLUSTER',
      'EXTENSION_CONFIG',
      'BOOTSTRAP',
      'LISTENER_FILTER',
    ]),
  ),
  match: Type.Optional(EnvoyConfigObjectMatch),
  patch: Type.Optional(
    message({
      operation: Type.Optional(
        oneOf([
          'INVALID',
          'MERGE',
          'ADD',
          'REMOVE',
          'INSERT_BEFORE',
          'INSERT_AFTER',
          'INSERT_FIRST',
          'REPLACE',
          'MERGE_AND_REPLACE_LIST',
        ]),
      ),
      value: Type.Optional(anything('Fields of the resource, in the words of Envoy.')),
      filterClass: Type.Optional(oneOf(['UNSPECIFIED', 'AUTHN', 'AUTHZ', 'STATS'])),
    }),
  ),
})
export type EnvoyConfigObjectPatch = Static<typeof EnvoyConfigObjectPatch>

export const EnvoyFilterSpec = message(
  {
    workloadSelector: Type.Optional(WorkloadSelector),
    targetRefs: Type.Optional(
      unsupported(Type.Array(partial({})), 'gateways of the Gateway API and waypoints are not supported'),
    ),
    priority: Type.Optional(Type.Integer()),
    configPatches: Type.Optional(Type.Array(EnvoyConfigObjectPatch)),
  },
  'Changes to the configuration of proxies, of which only local rate limits are made.',
)
export type EnvoyFilterSpec = Static<typeof EnvoyFilterSpec>

export const EnvoyFilterBody = body(EnvoyFilterSpec)
export type EnvoyFilterBody = Static<typeof EnvoyFilterBody>

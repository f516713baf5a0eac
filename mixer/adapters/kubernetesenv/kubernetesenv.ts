import { type Static, Type } from '@sinclair/typebox'
import type { ConfigObject } from '../../../config/object.ts'
import { durationOrZero, message, unsupported } from '../../../crds/schema.ts'
import type { Value } from '../../attributes/value.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { type Pod, PodIndex } from './pods.ts'

const READ_FROM_CONFIGURATION = 'pods are read with the rest of the configuration'

const Params = message({
  kubeconfigPath: unsupported(Type.Optional(Type.String()), READ_FROM_CONFIGURATION),
  cacheRefreshDuration: unsupported(Type.Optional(durationOrZero()), READ_FROM_CONFIGURATION),
  clusterRegistriesNamespace: unsupported(Type.Optional(Type.String()), READ_FROM_CONFIGURATION),
  clusterDomainName: Type.Optional(Type.String()),
})
type Params = Static<typeof Params>

/** Says which pods the two sides of a call are, by the configuration's Pods. */
export const kubernetesenv: Adapter<Params> = {
  name: 'kubernetesenv',
  templates: ['kubernetes'],
  params: Params,
  open: (params, environment) => new KubernetesEnv(params, environment),
}

class KubernetesEnv implements Handler {
  readonly #domain: string
  readonly #environment: HandlerEnvironment
  #objects: readonly ConfigObject[] | undefined
  #index: PodIndex | undefined

  constructor({ clusterDomainName = 'cluster.local' }: Params, environment: HandlerEnvironment) {
    this.#domain = clusterDomainName
    this.#environment = environment
  }

  generate({ values }: Instance): ReadonlyMap<string, Value> {
    const index = this.#current()
    const out = new Map<string, Value>()
    const { sourceUid, sourceIp, destinationUid, destinationIp, destinationPort } = values
    const source = index.find(sourceUid as string | undefined, sourceIp as string | undefined)
    const destination = index.find(destinationUid as string | undefined, destinationIp as string | undefined)
    if (source !== undefined) tell(out, 'source', source)
    if (destination !== undefined) {
      tell(out, 'destination', destination)
      const container = destination.container(destinationPort as number | undefined)
      if (container !== undefined) out.set('$out.destination_container_name', container)
    }
    return out
  }

  close(): void {}

  /** Made anew when the configuration is another. */
  #current(): PodIndex {
    const objects = this.#environment.objects()
    if (this.#index === undefined || objects !== this.#objects) {
      this.#objects = objects
      this.#index = new PodIndex(objects, this.#domain)
    }
    return this.#index
  }
}

function tell(out: Map<string, Value>, side: string, pod: Pod): void {
  for (const [fact, value] of pod.facts) out.set(`$out.${side}_${fact}`, value)
}

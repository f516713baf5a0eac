import { type Static, Type } from '@sinclair/typebox'
import type { ConfigObject } from '../../../config/object.ts'
import { durationOrZero, message, unsupported } from '../../../crds/schema.ts'
import type { AttributeBag, Value } from '../../attributes/value.ts'
import type { Adapter, Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { PodIndex } from './pods.ts'

/** It depends on the port too. */
const CONTAINER = '$out.destination_container_name'
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

  generate({ values }: Instance): AttributeBag {
    const index = this.#current()
    const { sourceUid, sourceIp, destinationUid, destinationIp, destinationPort } = values
    const source = index.find(sourceUid as string | undefined, sourceIp as string | undefined)
    const destination = index.find(destinationUid as string | undefined, destinationIp as string | undefined)
    return {
      get(name): Value | undefined {
        if (name === CONTAINER) return destination?.container(destinationPort as number | undefined)
        return source?.asSource.get(name) ?? destination?.asDestination.get(name)
      },
    }
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

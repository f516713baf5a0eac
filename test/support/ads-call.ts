import { create, type JsonObject } from '@bufbuild/protobuf'
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { AggregatedDiscoveryService } from '../../api/gen/envoy/service/discovery/v3/ads_pb.js'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
} from '../../api/gen/envoy/service/discovery/v3/discovery_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'
import { TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'

const { deltaAggregatedResources: METHOD } = serviceDefinition(AggregatedDiscoveryService)

export interface AdsCall {
  readonly port: number
  /** Plain text without. */
  readonly channel?: ChannelCredentials
  readonly authorization?: readonly string[]
  readonly node: { readonly id: string; readonly metadata?: JsonObject }
  readonly type?: TypeUrl
  readonly names?: readonly string[]
}

/** One question on a delta stream, and its first answer. Rejects with the status that the stream ends with. */
export async function askAds(call: AdsCall): Promise<DeltaDiscoveryResponse> {
  const client = new Client(`127.0.0.1:${call.port}`, call.channel ?? credentials.createInsecure())
  const metadata = new Metadata()
  for (const value of call.authorization ?? []) metadata.add('authorization', value)
  const stream = client.makeBidiStreamRequest(
    METHOD!.path,
    METHOD!.requestSerialize,
    METHOD!.responseDeserialize,
    metadata,
    { deadline: Date.now() + 10_000 },
  )
  try {
    return await new Promise<DeltaDiscoveryResponse>((resolve, reject) => {
      stream.on('data', resolve)
      stream.on('error', (error: ServiceError) => reject(error))
      stream.write(
        create(DeltaDiscoveryRequestSchema, {
          node: { cluster: 'test', ...call.node },
          typeUrl: call.type ?? TYPE_URL.cluster,
          resourceNamesSubscribe: [...(call.names ?? ['*'])],
        }),
      )
    })
  } finally {
    stream.cancel()
    client.close()
  }
}

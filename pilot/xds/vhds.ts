import { createHash } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire'
import { ApiVersion } from '../../api/gen/envoy/config/core/v3/config_source_pb.js'
import { RouteConfigurationSchema } from '../../api/gen/envoy/config/route/v3/route_pb.js'
import { TYPE_URL, type TypeUrl } from '../../api/type-urls.ts'
import type { EncodedResource, ResourceView } from './view.ts'

/**
 * Clients that say so get route tables without their virtual hosts, and the virtual hosts one by one (VHDS, envoy
 * docs: "Virtual Host Discovery Service"), so that one changed host costs one small resource and not the whole table.
 * The hosts are subscribed to as a whole, not on demand: no request ever waits for the pilot.
 */
export class VhdsView implements ResourceView {
  readonly generation: number
  readonly #view: ResourceView

  private constructor(view: ResourceView) {
    this.#view = view
    this.generation = view.generation
  }

  /** The same wrapper for the same view, so that streams can still tell at once that nothing changed. */
  static of(view: ResourceView): VhdsView {
    let wrapped = wrappers.get(view)
    if (wrapped === undefined) {
      wrapped = new VhdsView(view)
      wrappers.set(view, wrapped)
    }
    return wrapped
  }

  list(type: TypeUrl): readonly EncodedResource[] {
    return type === TYPE_URL.route ? this.#view.list(type).map(shellOf) : this.#view.list(type)
  }

  get(type: TypeUrl, name: string): EncodedResource | undefined {
    const resource = this.#view.get(type, name)
    return type === TYPE_URL.route && resource !== undefined ? shellOf(resource) : resource
  }

  withheld(type: TypeUrl, name: string): string | undefined {
    return this.#view.withheld?.(type, name)
  }
}

const wrappers = new WeakMap<ResourceView, VhdsView>()
const shells = new WeakMap<EncodedResource, EncodedResource>()

/** RouteConfiguration.virtual_hosts. */
const VIRTUAL_HOSTS_FIELD = 2

const vhdsField = toBinary(
  RouteConfigurationSchema,
  create(RouteConfigurationSchema, {
    vhds: { configSource: { configSourceSpecifier: { case: 'ads', value: {} }, resourceApiVersion: ApiVersion.V3 } },
  }),
)

function shellOf(table: EncodedResource): EncodedResource {
  let shell = shells.get(table)
  if (shell === undefined) {
    const bytes = Buffer.concat([...withoutVirtualHosts(table.bytes), vhdsField])
    const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    shell = { name: table.name, version, bytes }
    shells.set(table, shell)
  }
  return shell
}

/** The other fields' bytes, as they stand. */
function* withoutVirtualHosts(bytes: Uint8Array): Generator<Uint8Array> {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [field, wireType] = reader.tag()
    reader.skip(wireType as WireType, field)
    if (field !== VIRTUAL_HOSTS_FIELD) yield bytes.subarray(start, reader.pos)
  }
}

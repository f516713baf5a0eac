import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import {
  type DataSource,
  DataSourceSchema,
  type TransportSocket,
  TransportSocketSchema,
} from '../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type TlsParameters,
  TlsParametersSchema,
  TlsParameters_TlsProtocol as TlsProtocol,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { any } from './messages.ts'

/** Small messages that both sides of TLS need. */

/** TLS by this context, which is an UpstreamTlsContext or a DownstreamTlsContext. */
export function tlsSocket<Desc extends DescMessage>(schema: Desc, context: MessageShape<Desc>): TransportSocket {
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.tls',
    configType: { case: 'typedConfig', value: any(schema, context) },
  })
}

/** TLS 1.2 or 1.3: what the mesh speaks unless somebody has said otherwise. */
export function modernTls(): TlsParameters {
  return create(TlsParametersSchema, {
    tlsMinimumProtocolVersion: TlsProtocol.TLSv1_2,
    tlsMaximumProtocolVersion: TlsProtocol.TLSv1_3,
  })
}

/** A file of the proxy's machine. */
export function fileSource(path: string): DataSource {
  return create(DataSourceSchema, { specifier: { case: 'filename', value: path } })
}

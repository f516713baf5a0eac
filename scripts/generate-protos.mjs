// Generates api/gen/ from the Envoy protos that @grpc/grpc-js-xds ships, and from our own in api/protos/.
//
// Only the files reachable from ROOTS are compiled: the package as a whole does not compile (it dangles v2 and
// OpenCensus imports), and its validate.proto is older than Envoy's use of `ignore_empty`, so that one option is
// dropped on the way. Fields that Envoy has got since are added (ADDITIONS). Field numbers, names and packages are untouched.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { slimProtos } from './slim-protos.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'api/gen')
const staging = join(root, 'node_modules/.cache/lateen-protos')
const shipped = join(root, 'node_modules/@grpc/grpc-js-xds/deps')
const includeDirs = [
  join(root, 'api/protos'),
  ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((d) => join(shipped, d)),
]

const ROOTS = [
  'envoy/admin/v3/certs.proto',
  'envoy/admin/v3/config_dump.proto',
  'envoy/config/bootstrap/v3/bootstrap.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/trace/v3/opentelemetry.proto',
  'envoy/config/trace/v3/zipkin.proto',
  'envoy/extensions/access_loggers/file/v3/file.proto',
  'envoy/extensions/access_loggers/filters/cel/v3/cel.proto',
  'envoy/extensions/access_loggers/grpc/v3/als.proto',
  'envoy/extensions/access_loggers/open_telemetry/v3/logs_service.proto',
  'envoy/extensions/access_loggers/stream/v3/stream.proto',
  'envoy/extensions/filters/http/cors/v3/cors.proto',
  'envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto',
  'envoy/extensions/filters/http/fault/v3/fault.proto',
  'envoy/extensions/filters/http/grpc_web/v3/grpc_web.proto',
  'envoy/extensions/filters/http/jwt_authn/v3/config.proto',
  'envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto',
  'envoy/extensions/filters/http/ratelimit/v3/rate_limit.proto',
  'envoy/extensions/filters/http/rbac/v3/rbac.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto',
  'envoy/extensions/filters/listener/original_dst/v3/original_dst.proto',
  'envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.proto',
  'envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto',
  'envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit.proto',
  'envoy/extensions/filters/network/connection_limit/v3/connection_limit.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/filters/network/ext_authz/v3/ext_authz.proto',
  'envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.proto',
  'envoy/extensions/filters/network/ratelimit/v3/rate_limit.proto',
  'envoy/extensions/filters/network/rbac/v3/rbac.proto',
  'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy/extensions/load_balancing_policies/least_request/v3/least_request.proto',
  'envoy/extensions/load_balancing_policies/random/v3/random.proto',
  'envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.proto',
  'envoy/extensions/path/match/uri_template/v3/uri_template_match.proto',
  'envoy/extensions/request_id/uuid/v3/uuid.proto',
  'envoy/extensions/tracers/opentelemetry/resource_detectors/v3/environment_resource_detector.proto',
  'envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector.proto',
  'envoy/extensions/rate_limit_descriptors/expr/v3/expr.proto',
  'envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections.proto',
  'envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto',
  'envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto',
  'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'envoy/service/accesslog/v3/als.proto',
  'envoy/service/auth/v3/external_auth.proto',
  'envoy/service/discovery/v3/ads.proto',
  'envoy/service/ratelimit/v3/rls.proto',
  'envoy/service/secret/v3/sds.proto',
  'grpc/health/v1/health.proto',
  'istio/peer_metadata/config.proto',
  'istio/stats/config.proto',
  'istio/v1/auth/ca.proto',
  'opentelemetry/proto/collector/logs/v1/logs_service.proto',
  'opentelemetry/proto/collector/trace/v1/trace_service.proto',
]

/** What Envoy 1.40 has and the shipped protos have not: [file, the text it stands before, text]. */
const ADDITIONS = [
  [
    'envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto',
    'import "envoy/extensions/common/ratelimit/v3/ratelimit.proto";',
    'import "envoy/config/route/v3/route_components.proto";\n',
  ],
  [
    'envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto',
    '  bool rate_limited_as_resource_exhausted = 15;',
    `  repeated config.route.v3.RateLimit rate_limits = 17;
  google.protobuf.UInt32Value max_dynamic_descriptors = 18;
  bool enable_retry_after_header = 19;\n`,
  ],
  [
    'envoy/extensions/common/ratelimit/v3/ratelimit.proto',
    '  type.v3.TokenBucket token_bucket = 2',
    '  bool shadow_mode = 3;\n',
  ],
  [
    'envoy/config/route/v3/route_components.proto',
    '    message QueryParameterValueMatch {',
    `    message QueryParameters {
      string query_parameter_name = 1;
      string descriptor_key = 2;
      bool skip_if_absent = 3;
    }\n\n`,
  ],
  [
    'envoy/config/route/v3/route_components.proto',
    '      SourceCluster source_cluster = 1;',
    '      QueryParameters query_parameters = 12;\n\n',
  ],
  [
    'envoy/config/trace/v3/zipkin.proto',
    '  bool split_spans_for_request = 7',
    `  enum TraceContextOption {
    USE_B3 = 0;
    USE_B3_WITH_W3C_PROPAGATION = 1;
  }
  TraceContextOption trace_context_option = 8;\n`,
  ],
]

function withAdditions(name, text) {
  let out = text
  for (const [file, before, added] of ADDITIONS) {
    if (file !== name) continue
    if (out.split(before).length !== 2) throw new Error(`${file} has not once: ${before}`)
    out = out.replace(before, () => added + before)
  }
  return out
}

/** Every file reachable from ROOTS, with the text to compile. google/protobuf comes with the compiler. */
function collect() {
  const files = new Map()
  const queue = [...ROOTS]
  while (queue.length > 0) {
    const name = queue.pop()
    if (files.has(name) || name.startsWith('google/protobuf/')) continue
    const dir = includeDirs.find((d) => existsSync(join(d, name)))
    if (dir === undefined) throw new Error(`proto ${name} is not among the shipped ones`)
    const shippedText = readFileSync(join(dir, name), 'utf8').replace(/,?\s*\bignore_empty:\s*true/g, '')
    const text = withAdditions(name, shippedText)
    files.set(name, text)
    for (const [, dep] of text.matchAll(/^import\s+(?:public\s+|weak\s+)?"([^"]+)";/gm)) queue.push(dep)
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const files = collect()
const stamp = createHash('sha256')
  .update(readFileSync(fileURLToPath(import.meta.url)))
  .update(readFileSync(join(root, 'scripts/slim-protos.mjs')))
  .update(JSON.stringify([...files]))
  .digest('hex')
const stampFile = join(out, '.stamp')
if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) process.exit(0)

rmSync(staging, { recursive: true, force: true })
rmSync(out, { recursive: true, force: true })
for (const [name, text] of files) {
  mkdirSync(dirname(join(staging, name)), { recursive: true })
  writeFileSync(join(staging, name), text)
}
writeFileSync(join(staging, 'buf.yaml'), 'version: v2\nmodules:\n  - path: .\n')
writeFileSync(
  join(staging, 'buf.gen.yaml'),
  `version: v2
plugins:
  - local: ${JSON.stringify(join(root, 'node_modules/.bin/protoc-gen-es'))}
    out: ${JSON.stringify(out)}
    strategy: all
    opt: [target=js+dts, import_extension=js]
`,
)
execFileSync(join(root, 'node_modules/.bin/buf'), ['generate', '--config', 'buf.yaml', '--template', 'buf.gen.yaml'], {
  cwd: staging,
  stdio: 'inherit',
})
slimProtos(
  [...files.keys()].map((name) => join(out, name.replace(/\.proto$/, '_pb.js'))),
  join(root, 'api/descriptors/file-desc.ts'),
)
writeFileSync(stampFile, stamp)
process.stdout.write(`generated ${files.size} proto files into api/gen\n`)

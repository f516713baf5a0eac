// Bundles the entry points into dist/. Our own modules are bundled so that a command starts fast; npm's packages stay
// outside and are loaded from node_modules, but for those of many modules that every proxy loads.
import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const BUNDLED = new Set(['@bufbuild/protobuf', '@bufbuild/cel'])
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const EXTERNAL = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !BUNDLED.has(name))
const entryPoints = [
  'cli/main.ts',
  'proxy/agent/workers/worker.ts',
  'samples/bookinfo/main.ts',
  'bench/main.ts',
  'bench/data-path/backend/grpc-server.ts',
  'bench/data-path/load/open-loop.ts',
  'bench/data-path/load/ticker.ts',
  'bench/data-path/load/tls-connections.ts',
  'bench/micro/access-log.ts',
  'bench/micro/balancing.ts',
  'bench/micro/certificates.ts',
  'bench/micro/hpack.ts',
  'bench/micro/istio-metrics.ts',
  'bench/micro/outlier.ts',
  'bench/micro/propagate.ts',
  'bench/micro/rate-limit.ts',
  'bench/micro/tracing.ts',
  'bench/reference-engine.ts',
  'bench/telemetry/sink.ts',
].filter((file) => existsSync(join(root, file)))

// Built beside and renamed, so that a build that fails or is in its middle leaves the commands as they were.
const dist = join(root, 'dist')
const beside = join(root, 'dist.new')
rmSync(beside, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints,
  outbase: '.',
  outdir: beside,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: EXTERNAL,
  sourcemap: true,
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
})
// One file that needs nothing: it is loaded into other people's programs.
await build({
  absWorkingDir: root,
  entryPoints: ['propagate/main.ts'],
  outbase: '.',
  outdir: beside,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
})
chmodSync(join(beside, 'cli/main.js'), 0o755)
rmSync(dist, { recursive: true, force: true })
renameSync(beside, dist)

// Bundles the entry points into dist/. Our own modules are bundled so that a command starts fast; npm's packages stay
// outside and are loaded from node_modules, but for those of many modules that every proxy loads.
import { chmodSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

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
  'bench/data-path/cores/ping-pong.ts',
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
const options = {
  cwd: root,
  platform: 'node',
  transform: { target: 'node20' },
  external: (id) => EXTERNAL.some((name) => id === name || id.startsWith(`${name}/`)),
}
const output = {
  dir: beside,
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'chunks/[name]-[hash].js',
  comments: { legal: true, annotation: false, jsdoc: false },
}
const named = (files) => Object.fromEntries(files.map((file) => [file.slice(0, -'.ts'.length), file]))
await build({ ...options, input: named(entryPoints), output })
// One file that needs nothing: it is loaded into other people's programs.
await build({
  ...options,
  external: [],
  input: named(['propagate/main.ts']),
  output: { ...output, codeSplitting: false },
})
chmodSync(join(beside, 'cli/main.js'), 0o755)
rmSync(dist, { recursive: true, force: true })
renameSync(beside, dist)

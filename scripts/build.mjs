// Bundles the entry points into dist/. Our own modules are bundled so that a command starts in a tenth of a second;
// npm's packages stay outside and are loaded from node_modules.
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const entryPoints = [
  'cli/main.ts',
  'proxy/agent/workers/worker.ts',
  'samples/bookinfo/main.ts',
  'bench/main.ts',
  'bench/data-path/backend/grpc-server.ts',
  'bench/data-path/load/open-loop.ts',
  'bench/data-path/load/ticker.ts',
  'bench/micro/hpack.ts',
  'bench/reference-engine.ts',
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
  packages: 'external',
  sourcemap: true,
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
})
chmodSync(join(beside, 'cli/main.js'), 0o755)
rmSync(dist, { recursive: true, force: true })
renameSync(beside, dist)

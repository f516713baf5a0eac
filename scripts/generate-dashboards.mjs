// Writes Grafana's dashboards, Prometheus' rules and docs/reference/metrics.md from the sources in dashboards/.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bundle = join(root, 'node_modules/.cache/lateen-dashboards/output.mjs')
mkdirSync(dirname(bundle), { recursive: true })
await build({
  entryPoints: [join(root, 'dashboards/output.ts')],
  outfile: bundle,
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  logLevel: 'warning',
})
const { outputs } = await import(pathToFileURL(bundle).href)
for (const [path, text] of outputs()) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
  process.stdout.write(`${path}\n`)
}
rmSync(dirname(bundle), { recursive: true, force: true })

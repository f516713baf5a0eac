// Writes Grafana's dashboards, Prometheus' rules and docs/reference/metrics.md from the sources in dashboards/.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importBundled } from './import-bundled.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { outputs } = await importBundled('dashboards/output.ts')
for (const [path, text] of outputs()) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
  process.stdout.write(`${path}\n`)
}

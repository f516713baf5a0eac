// Writes crds/*.yaml from the schemas in crds/kinds/.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bundle = join(root, 'node_modules/.cache/lateen-crds/crd.mjs')
mkdirSync(dirname(bundle), { recursive: true })
await build({
  entryPoints: [join(root, 'crds/crd.ts')],
  outfile: bundle,
  bundle: true,
  format: 'esm',
  platform: 'node',
  packages: 'external',
  logLevel: 'warning',
})
const { crdFiles } = await import(pathToFileURL(bundle).href)
for (const [name, text] of crdFiles()) {
  writeFileSync(join(root, 'crds', name), text)
  process.stdout.write(`crds/${name}\n`)
}
rmSync(dirname(bundle), { recursive: true, force: true })

// Writes crds/*.yaml from the schemas in crds/kinds/.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importBundled } from './import-bundled.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { crdFiles } = await importBundled('crds/crd.ts')
for (const [name, text] of crdFiles()) {
  writeFileSync(join(root, 'crds', name), text)
  process.stdout.write(`crds/${name}\n`)
}

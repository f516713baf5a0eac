import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'rolldown'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** What a TypeScript module exports, `path` from the repository's root, for a script that is no TypeScript. */
export async function importBundled(path) {
  const folder = join(root, 'node_modules/.cache/lateen-scripts')
  const file = join(folder, `${process.pid}.mjs`)
  await build({
    cwd: root,
    input: path,
    platform: 'node',
    external: /^[^./]/,
    output: { file, format: 'esm', codeSplitting: false },
  })
  try {
    return await import(pathToFileURL(file).href)
  } finally {
    rmSync(file)
  }
}

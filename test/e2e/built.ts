import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const SOURCES = ['api', 'cli', 'config', 'crds', 'injector', 'lib', 'mixer', 'pilot', 'propagate', 'proxy', 'samples']

/** The path of the built command, built anew when a source is newer than it. */
export function builtCli(): string {
  const cli = join(root, 'dist/cli/main.js')
  const builtMs = modifiedMs(cli)
  if (builtMs === 0 || SOURCES.some((folder) => newestMs(join(root, folder)) > builtMs)) {
    const build = spawnSync(process.execPath, [join(root, 'scripts/build.mjs')], { cwd: root, encoding: 'utf8' })
    if (build.status !== 0) throw new Error(`the build failed:\n${build.stderr}`)
  }
  return cli
}

function newestMs(folder: string): number {
  if (modifiedMs(folder) === 0) return 0
  let newest = 0
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && /(?<!\.test)\.ts$/.test(entry.name))
      newest = Math.max(newest, modifiedMs(join(entry.parentPath, entry.name)))
  }
  return newest
}

/** 0 when there is no such file. */
function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

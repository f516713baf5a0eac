// Runs jest with the flag that its ESM support still needs on every Node version.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const jest = join(dirname(require.resolve('jest/package.json')), 'bin/jest.js')
const run = spawnSync(
  process.execPath,
  ['--experimental-vm-modules', '--no-warnings', jest, ...process.argv.slice(2)],
  {
    stdio: 'inherit',
  },
)
process.exit(run.status ?? 1)

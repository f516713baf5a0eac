// The whole check, as CI runs it: build, types, lint, every test. Its last line is "N passed, N failed, N skipped".
// Words after `npm test --` are given to jest, e.g. `npm test -- proxy/http1`.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const node = process.execPath
const bin = (name) => join(root, 'node_modules/.bin', name)

function run(title, command, args) {
  process.stdout.write(`== ${title}\n`)
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  return done.status === 0
}

let passed = 0
let failed = 0
const count = (ok) => {
  if (ok) passed++
  else failed++
}

// The real programs to test against. What cannot be had is said, and its suites are skipped (or fail under CI=true).
run('peers', node, ['test/peers/install.mjs'])
count(run('build', node, ['scripts/generate-protos.mjs']) && run('bundle', node, ['scripts/build.mjs']))
count(run('types', bin('tsc'), ['--noEmit', '-p', 'tsconfig.json']))
count(run('lint', bin('biome'), ['check', '.']))

/** What a mesh under load answers in time depends on who else is at work: these are run when all others are done. */
const ALONE = ['test/e2e/demo.test.ts']

const dir = mkdtempSync(join(tmpdir(), 'lateen-test-'))
let skipped = 0
function runTests(title, ...args) {
  const report = join(dir, `${title}.json`)
  run(title, node, ['scripts/jest.mjs', '--json', `--outputFile=${report}`, ...args])
  try {
    const result = JSON.parse(readFileSync(report, 'utf8'))
    passed += result.numPassedTests
    failed += result.numFailedTests + result.numRuntimeErrorTestSuites
    skipped += result.numPendingTests + result.numTodoTests
  } catch (error) {
    process.stdout.write(`jest left no report of ${title}: ${error.message}\n`)
    failed++
  }
}

const words = process.argv.slice(2)
if (words.length > 0) runTests('tests', ...words)
else {
  const others = ['/node_modules/', '/dist/', ...ALONE].map((pattern) => `--testPathIgnorePatterns=${pattern}`)
  runTests('tests', ...others)
  runTests('tests-alone', ...ALONE)
}
rmSync(dir, { recursive: true, force: true })

process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`)
process.exit(failed === 0 ? 0 : 1)

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const node24 = peerOrSkip('node24')
const onNode24 = node24 === undefined ? test.skip : test

/** What breaks on another Node breaks when a package is imported, whatever its manifest says. */
onNode24('every runtime dependency can be imported on Node 24', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const imports = Object.keys(manifest.dependencies).map((name) => `await import(${JSON.stringify(name)})`)
  const script = `${imports.join('\n')}\nconsole.log(process.versions.node.split('.')[0])`
  const run = spawnSync(node24 as string, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.stdout.trim()).toBe('24')
})

onNode24('the command line explains a call on Node 24', () => {
  const args = ['dist/cli/main.js', 'explain', 'GET', 'http://reviews:9080/reviews/0', '--json']
  const config = ['--config', 'samples/bookinfo', '--from', 'productpage-v1.default']
  const run = spawnSync(node24 as string, [...args, ...config], { cwd: root, encoding: 'utf8' })
  const explanation = JSON.parse(run.stdout) as { cluster: string; error: string | null }
  expect(explanation.error).toBeNull()
  expect(explanation.cluster).toMatch(/\|reviews\.default\.svc\.cluster\.local$/)
})

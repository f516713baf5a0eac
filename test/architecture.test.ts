import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const SKIPPED = new Set(['node_modules', 'dist', '.git', '.peers', 'gen', 'coverage'])

/** Room -> the rooms it may import. Everything may import itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  lib: [],
  api: ['lib'],
  crds: ['api', 'lib'],
  config: ['crds', 'api', 'lib'],
  pilot: ['config', 'crds', 'api', 'lib'],
  proxy: ['api', 'lib'],
  mixer: ['config', 'crds', 'api', 'lib'],
  injector: ['config', 'crds', 'api', 'lib'],
  cli: ['pilot', 'proxy', 'mixer', 'injector', 'config', 'crds', 'api', 'lib', 'samples'],
  console: [],
  propagate: ['lib'],
  samples: [],
  scripts: ['crds', 'api', 'lib'],
}
/** Rooms that may import anything: they bring parts together. */
const ASSEMBLERS = new Set(['test', 'bench'])

interface Ban {
  pattern: RegExp
  reason: string
  allowed: (file: string) => boolean
}

const inTests = (file: string) => file.endsWith('.test.ts') || file.startsWith('test/') || file.startsWith('bench/')
const inSamples = (file: string) => file.startsWith('samples/')

const BANS: readonly Ban[] = [
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    reason: 'the wall clock is read only in lib/clock.ts; take a Clock',
    allowed: (f) => f === 'lib/clock.ts' || inTests(f) || inSamples(f),
  },
  {
    pattern: /\bMath\.random\b/,
    reason: 'randomness comes only from lib/random.ts; take a Random',
    allowed: (f) => f === 'lib/random.ts' || inSamples(f),
  },
  {
    pattern: /\bprocess\.env\b/,
    reason: 'the environment is read only in lib/env.ts',
    allowed: (f) => f === 'lib/env.ts' || inTests(f) || inSamples(f),
  },
  {
    pattern: /\bnew RegExp\(/,
    reason: 'patterns from configuration go through lib/safe-regex.ts (linear time)',
    allowed: (f) => f === 'lib/safe-regex.ts' || inTests(f),
  },
  {
    pattern: /\bset(Timeout|Interval)\(/,
    reason: 'the data path has one timer wheel (lib/timer-wheel.ts); elsewhere take a Clock',
    allowed: (f) => !/^proxy\/(http1|stream|upstream|filters|decide|tcp|tls|listener)\//.test(f) || inTests(f),
  },
  {
    pattern: /\bconsole\./,
    reason: 'only the cli prints',
    allowed: (f) => f.startsWith('cli/') || inTests(f) || inSamples(f),
  },
  {
    pattern: /from 'prom-client'/,
    reason: 'prom-client is for exposition only; count in lib/metrics slots',
    allowed: (f) => f.includes('exposition') || inTests(f),
  },
]

interface SourceFile {
  path: string
  room: string
  text: string
}

function sources(dir: string): SourceFile[] {
  const found: SourceFile[] = []
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (SKIPPED.has(entry.name)) continue
    const full = join(dir, entry.name)
    if (entry.isDirectory()) found.push(...sources(full))
    else if (entry.name.endsWith('.ts')) {
      const path = relative(root, full)
      found.push({ path, room: path.split('/')[0] as string, text: readFileSync(full, 'utf8') })
    }
  }
  return found
}

const files = sources(root)

test('imports follow the arrows between the rooms', () => {
  const broken: string[] = []
  for (const file of files) {
    if (ASSEMBLERS.has(file.room)) continue
    for (const [, specifier] of file.text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)) {
      const target = relative(root, join(root, dirname(file.path), specifier as string))
      const room = target.split('/')[0] as string
      if (room === file.room) continue
      if (file.path.endsWith('.test.ts') && (room === 'test' || room === 'lib')) continue
      const allowed = MAY_IMPORT[file.room]
      if (allowed === undefined) broken.push(`${file.path}: room ${file.room} is not in the table of rooms`)
      else if (!allowed.includes(room))
        broken.push(`${file.path} imports ${target}: ${file.room} may not import ${room}`)
    }
  }
  expect(broken).toEqual([])
})

test('the bans hold', () => {
  const broken: string[] = []
  for (const file of files) {
    if (file.path === 'test/architecture.test.ts') continue
    file.text.split('\n').forEach((line, index) => {
      if (/^\s*(\*|\/\/|\/\*)/.test(line)) return
      for (const ban of BANS) {
        if (ban.pattern.test(line) && !ban.allowed(file.path)) broken.push(`${file.path}:${index + 1}: ${ban.reason}`)
      }
    })
  }
  expect(broken).toEqual([])
})

test('hand-written source files stay under 600 lines', () => {
  const long = files.filter((f) => !f.path.endsWith('.test.ts') && f.text.split('\n').length > 600).map((f) => f.path)
  expect(long).toEqual([])
})

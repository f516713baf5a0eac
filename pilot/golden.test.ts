import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { parse, stringify } from 'yaml'
import { SHORT_TYPE, type TypeUrl } from '../api/type-urls.ts'
import { MemorySource } from '../config/sources/memory.ts'
import type { MeshConfig } from '../crds/mesh-config.ts'
import { ManualClock } from '../lib/clock.ts'
import { meshOptionsOf } from './mesh/mesh-config.ts'
import { Publisher } from './publisher.ts'
import { decode } from './testing/decode.ts'
import { readable } from './testing/readable.ts'

/**
 * Each file of `golden/` is one case, to be read as a document: what is shown of which node, the configuration, and
 * what is made of it. To write a case, leave out the last part: the first run appends it. Then read it.
 */
const directory = join(dirname(fileURLToPath(import.meta.url)), 'golden')

interface Header {
  case: string
  node: string
  metadata?: Record<string, unknown>
  /** As `--mesh-config` takes it. */
  meshConfig?: MeshConfig
  /** Short type and name, such as `RDS 9080`; a type alone shows the names of all. */
  show: string[]
}

const SEPARATOR = '\n---\n'
const typeByShortName = new Map(Object.entries(SHORT_TYPE).map(([url, short]) => [short, url as TypeUrl]))

for (const file of readdirSync(directory).sort()) {
  const text = readFileSync(join(directory, file), 'utf8')
  const parts = text.split(SEPARATOR)
  const header = parse(parts[0] ?? '') as Header
  const last = parts.at(-1) ?? ''
  const expected = last.startsWith('expected:') ? parse(last).expected : undefined
  // Lines of the header stay, empty, so that lines in origins are those of the file.
  const blank = '\n'.repeat((parts[0] ?? '').split('\n').length)
  const config = blank + SEPARATOR.slice(1) + parts.slice(1, expected === undefined ? undefined : -1).join(SEPARATOR)

  test(`${file}: ${header.case}`, () => {
    const source = new MemorySource({ [file]: config })
    expect(source.current().findings.filter((finding) => finding.severity === 'error')).toEqual([])
    const publisher = new Publisher({ source, clock: new ManualClock(), mesh: meshOptionsOf(header.meshConfig ?? {}) })
    const actual = show(header, publisher)
    if (expected === undefined) {
      const body = stringify({ expected: actual }, { lineWidth: 120, aliasDuplicateObjects: false })
      writeFileSync(join(directory, file), `${text.trimEnd()}${SEPARATOR}${body}`)
      throw new Error(`the expectation of ${file} was missing and has been written; read it before it is committed`)
    }
    expect(actual).toEqual(expected)
  })
}

function show(header: Header, publisher: Publisher): Record<string, JsonValue> {
  const view = publisher.viewFor({ id: header.node, cluster: '', metadata: header.metadata ?? {} })
  return Object.fromEntries(
    header.show.map((item) => {
      const [short, ...rest] = item.split(' ')
      const type = typeByShortName.get(short ?? '') as TypeUrl
      if (rest.length === 0) return [item, view.list(type).map(({ name }) => name)]
      const resource = view.get(type, rest.join(' '))
      return [item, resource === undefined ? null : readable(decode(type, resource))]
    }),
  )
}

import { readFileSync, statSync } from 'node:fs'
import type { DataSource } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { errorText } from '../../../lib/errors.ts'
import { stampOf } from '../files.ts'
import { refuse } from '../plan-error.ts'

/** No certificate bundle comes near this. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

/**
 * The bytes of an envoy.config.core.v3.DataSource; undefined when it is absent. A file is read now, and `stamps` gets its state, so that
 * it can be told when to read it again; who gives none reads it once.
 */
export function compileDataSource(
  source: DataSource | undefined,
  path: string,
  stamps?: Map<string, string>,
): Buffer | undefined {
  if (source === undefined) return undefined
  const { specifier } = source
  switch (specifier.case) {
    case 'filename':
      // Before it is read: what changes meanwhile is then another state.
      stamps?.set(specifier.value, stampOf(specifier.value))
      return readFile(specifier.value, `${path}.filename`)
    case 'inlineBytes':
      return Buffer.from(specifier.value)
    case 'inlineString':
      return Buffer.from(specifier.value)
    default:
      return refuse(path, `data source ${specifier.case ?? 'without a specifier'} is not supported`)
  }
}

/** The file that it names; '' when it names none. */
export function pathOf(source: DataSource | undefined): string {
  return source?.specifier.case === 'filename' ? source.specifier.value : ''
}

function readFile(file: string, path: string): Buffer {
  let size: number
  let bytes: Buffer | undefined
  try {
    size = statSync(file).size
    if (size <= MAX_FILE_BYTES) bytes = readFileSync(file)
  } catch (thrown) {
    return refuse(path, errorText(thrown))
  }
  return bytes ?? refuse(path, `${file} has ${size} bytes, at most ${MAX_FILE_BYTES} are read`)
}

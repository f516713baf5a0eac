import { createHash } from 'node:crypto'
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf'
import type { TypeUrl } from '../api/type-urls.ts'
import type { Memo } from './memo.ts'
import type { EncodedResource } from './xds/view.ts'

/** Enough of the hash to tell the versions of one resource apart. */
const VERSION_LENGTH = 16

/** The same object for the same content, however often it is made. */
export function encodedBytes(type: TypeUrl, name: string, bytes: Uint8Array, memo: Memo): EncodedResource {
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, VERSION_LENGTH)
  return memo.get('resource', [type, name, version], () => ({ name, version, bytes }))
}

export function encoded<Desc extends DescMessage>(
  type: TypeUrl,
  name: string,
  schema: Desc,
  message: MessageShape<Desc>,
  memo: Memo,
): EncodedResource {
  return encodedBytes(type, name, toBinary(schema, message), memo)
}

import type { DescEnum, DescFile, DescMessage } from '@bufbuild/protobuf'
import { nestedTypes } from '@bufbuild/protobuf/reflect'

/** The messages and enumerations of a file, nested ones too. */
export function* typesIn(file: DescFile): Generator<DescMessage | DescEnum> {
  yield* file.enums
  for (const message of file.messages) {
    yield message
    for (const type of nestedTypes(message)) if (type.kind === 'message' || type.kind === 'enum') yield type
  }
}

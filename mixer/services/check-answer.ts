import { create, type JsonObject, toBinary } from '@bufbuild/protobuf'
import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOption,
  HeaderValueOptionSchema,
} from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { type CheckResponse, CheckResponseSchema } from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import { OK } from '../adapters/adapter.ts'
import type { CheckAnswer } from '../rules/dispatcher.ts'
import type { HeaderChange } from '../rules/header-operations.ts'

/** Where proxies that keep answers find for how long, and what they depend on (docs/reference/mixer-answers.md). */
export const CHECK_METADATA = 'lateen.mesh/check'

/** google.rpc.Code by its number, and the status of HTTP that says it (google/rpc/code.proto). */
const CODES: readonly (readonly [name: string, http: number])[] = [
  ['OK', 200],
  ['CANCELLED', 499],
  ['UNKNOWN', 500],
  ['INVALID_ARGUMENT', 400],
  ['DEADLINE_EXCEEDED', 504],
  ['NOT_FOUND', 404],
  ['ALREADY_EXISTS', 409],
  ['PERMISSION_DENIED', 403],
  ['RESOURCE_EXHAUSTED', 429],
  ['FAILED_PRECONDITION', 400],
  ['ABORTED', 409],
  ['OUT_OF_RANGE', 400],
  ['UNIMPLEMENTED', 501],
  ['INTERNAL', 500],
  ['UNAVAILABLE', 503],
  ['DATA_LOSS', 500],
  ['UNAUTHENTICATED', 401],
]

/** A verdict as proxies understand it. A refusal has Mixer's text: `PERMISSION_DENIED:handler.namespace:message`. */
export function checkResponse(answer: CheckAnswer): CheckResponse {
  const { code, requestChanges, responseChanges } = answer
  const dynamicMetadata = { [CHECK_METADATA]: metadataOf(answer) }
  if (code === OK) {
    return create(CheckResponseSchema, {
      status: { code },
      dynamicMetadata,
      httpResponse: {
        case: 'okResponse',
        value: {
          headers: laidOver(requestChanges),
          headersToRemove: requestChanges.filter(({ operation }) => operation === 'REMOVE').map(({ name }) => name),
          responseHeadersToAdd: laidOver(responseChanges),
        },
      },
    })
  }
  const [name, http] = CODES[code] ?? ['UNKNOWN', 500]
  const body = `${name}:${answer.message}`
  return create(CheckResponseSchema, {
    status: { code, message: answer.message },
    dynamicMetadata,
    httpResponse: {
      case: 'deniedResponse',
      value: { status: { code: http }, headers: laidOver(responseChanges), body },
    },
  })
}

/** So many are kept. */
const MAX_ENCODED = 1_000

/** Answers as they are sent. Most are like one before, and encoding costs more than all the rest of a check. */
export class CheckEncoder {
  readonly #encoded = new Map<string, Buffer>()

  encode(answer: CheckAnswer): Buffer {
    if (answer.requestChanges.length + answer.responseChanges.length > 0) return encode(answer)
    const { code, message, validDurationMs, validUseCount, references } = answer
    const key = `${code} ${validDurationMs} ${validUseCount} ${message}\n${references.signature()}`
    let bytes = this.#encoded.get(key)
    if (bytes === undefined) {
      bytes = encode(answer)
      // What callers send is in the names of entries that were read: whoever has many of them starts over.
      if (this.#encoded.size >= MAX_ENCODED) this.#encoded.clear()
      this.#encoded.set(key, bytes)
    }
    return bytes
  }
}

function encode(answer: CheckAnswer): Buffer {
  return Buffer.from(toBinary(CheckResponseSchema, checkResponse(answer)))
}

function metadataOf({ validDurationMs, validUseCount, references }: CheckAnswer): JsonObject {
  return { validDurationMs, validUseCount, ...references.texts() }
}

function laidOver(changes: readonly HeaderChange[]): HeaderValueOption[] {
  return changes
    .filter(({ operation }) => operation !== 'REMOVE')
    .map(({ operation, name: key, value }) =>
      create(HeaderValueOptionSchema, {
        header: { key, value },
        appendAction: operation === 'APPEND' ? Action.APPEND_IF_EXISTS_OR_ADD : Action.OVERWRITE_IF_EXISTS_OR_ADD,
      }),
    )
}

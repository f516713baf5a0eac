import { create } from '@bufbuild/protobuf'
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
  HeaderValueOptionSchema,
  HeaderValueSchema,
} from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { HeaderOperations, Headers } from '../../../crds/kinds/virtual-service.ts'

/** The header fields that routes, and the clusters of a weighted choice, have in common. */
export interface HeaderMutations {
  requestHeadersToAdd: HeaderValueOption[]
  requestHeadersToRemove: string[]
  responseHeadersToAdd: HeaderValueOption[]
  responseHeadersToRemove: string[]
}

export function headerMutations(headers: Headers | undefined): HeaderMutations {
  return {
    requestHeadersToAdd: additions(headers?.request).filter((option) => !isAuthority(option.header?.key ?? '')),
    requestHeadersToRemove: headers?.request?.remove ?? [],
    responseHeadersToAdd: additions(headers?.response),
    responseHeadersToRemove: headers?.response?.remove ?? [],
  }
}

/** Both, the second after the first. */
export function joinMutations(a: HeaderMutations, b: HeaderMutations): HeaderMutations {
  return {
    requestHeadersToAdd: [...a.requestHeadersToAdd, ...b.requestHeadersToAdd],
    requestHeadersToRemove: [...a.requestHeadersToRemove, ...b.requestHeadersToRemove],
    responseHeadersToAdd: [...a.responseHeadersToAdd, ...b.responseHeadersToAdd],
    responseHeadersToRemove: [...a.responseHeadersToRemove, ...b.responseHeadersToRemove],
  }
}

/** The host cannot be set like another header: it becomes a rewrite of the host. */
export function authorityOf(headers: Headers | undefined): string | undefined {
  for (const values of [headers?.request?.set, headers?.request?.add]) {
    for (const [name, value] of Object.entries(values ?? {})) if (isAuthority(name)) return value
  }
  return undefined
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase()
  return lower === 'host' || lower === ':authority'
}

function additions(operations: HeaderOperations | undefined): HeaderValueOption[] {
  const { OVERWRITE_IF_EXISTS_OR_ADD, APPEND_IF_EXISTS_OR_ADD } = HeaderValueOption_HeaderAppendAction
  return [...options(operations?.set, OVERWRITE_IF_EXISTS_OR_ADD), ...options(operations?.add, APPEND_IF_EXISTS_OR_ADD)]
}

function options(
  values: Record<string, string> | undefined,
  appendAction: HeaderValueOption_HeaderAppendAction,
): HeaderValueOption[] {
  return Object.keys(values ?? {})
    .sort()
    .map((key) =>
      create(HeaderValueOptionSchema, {
        header: create(HeaderValueSchema, { key, value: values?.[key] ?? '' }),
        appendAction,
      }),
    )
}

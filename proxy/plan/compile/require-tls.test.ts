import { expect, test } from '@jest/globals'
import { VirtualHost_TlsRequirementType as TlsRequirement } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { headerMatches } from '../../decide/fields.ts'
import type { RequestHead } from '../../stream/message.ts'
import { tlsRedirects } from './require-tls.ts'

function head(scheme: string, internal?: string): RequestHead {
  const fields = new Map(internal === undefined ? [] : [['x-envoy-internal', internal]])
  return {
    scheme,
    has: (name: string) => fields.has(name),
    anyValue: (name: string, value: { test(text: string): boolean }) => value.test(fields.get(name) as string),
  } as unknown as RequestHead
}

const isSent = (required: TlsRequirement, asked: RequestHead) =>
  tlsRedirects(required, undefined).map(({ match }) => match.headers.every((one) => headerMatches(one, asked)))

test('what did not come by TLS is sent there, whatever its method', () => {
  expect(isSent(TlsRequirement.ALL, head('http'))).toEqual([true, true])
  expect(isSent(TlsRequirement.ALL, head('http', 'true'))).toEqual([true, true])
  expect(isSent(TlsRequirement.ALL, head('https'))).toEqual([false, false])
  expect(isSent(TlsRequirement.NONE, head('http'))).toEqual([])
})

test('or only what comes from outside', () => {
  expect(isSent(TlsRequirement.EXTERNAL_ONLY, head('http'))).toEqual([true, true])
  expect(isSent(TlsRequirement.EXTERNAL_ONLY, head('http', 'true'))).toEqual([false, false])
  expect(isSent(TlsRequirement.EXTERNAL_ONLY, head('https'))).toEqual([false, false])
})

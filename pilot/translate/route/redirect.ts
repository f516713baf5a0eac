import { create } from '@bufbuild/protobuf'
import { DataSourceSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  RedirectAction_RedirectResponseCode as Code,
  type DirectResponseAction,
  DirectResponseActionSchema,
  type RedirectAction,
  RedirectActionSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { HTTPDirectResponse, HTTPRedirect } from '../../../crds/kinds/virtual-service.ts'

const CODES: Record<number, Code> = {
  301: Code.MOVED_PERMANENTLY,
  302: Code.FOUND,
  303: Code.SEE_OTHER,
  307: Code.TEMPORARY_REDIRECT,
  308: Code.PERMANENT_REDIRECT,
}

/** `port` is the one that the request came to. */
export function redirectAction(redirect: HTTPRedirect, port: number): RedirectAction {
  return create(RedirectActionSchema, {
    hostRedirect: redirect.authority ?? '',
    portRedirect: redirectPort(redirect, port),
    responseCode: CODES[redirect.redirectCode ?? 301] ?? Code.MOVED_PERMANENTLY,
    ...(redirect.scheme !== undefined &&
      redirect.scheme !== '' && {
        schemeRewriteSpecifier: { case: 'schemeRedirect' as const, value: redirect.scheme },
      }),
    pathRewriteSpecifier: pathRewrite(redirect),
  })
}

function pathRewrite(redirect: HTTPRedirect): RedirectAction['pathRewriteSpecifier'] {
  if (redirect.prefixRewrite !== undefined) return { case: 'prefixRewrite', value: redirect.prefixRewrite }
  if (redirect.uri !== undefined && redirect.uri !== '') return { case: 'pathRedirect', value: redirect.uri }
  return { case: undefined }
}

/** FROM_PROTOCOL_DEFAULT is what Envoy does by itself. The default ports of the scheme are left unsaid. */
function redirectPort(redirect: HTTPRedirect, requestPort: number): number {
  const port = redirect.derivePort === 'FROM_REQUEST_PORT' ? requestPort : (redirect.port ?? 0)
  const isDefault = (redirect.scheme === 'http' && port === 80) || (redirect.scheme === 'https' && port === 443)
  return isDefault ? 0 : port
}

export function directResponseAction(response: HTTPDirectResponse): DirectResponseAction {
  const { body } = response
  return create(DirectResponseActionSchema, {
    status: response.status,
    ...(body?.string !== undefined && {
      body: create(DataSourceSchema, { specifier: { case: 'inlineString', value: body.string } }),
    }),
    ...(body?.bytes !== undefined && {
      body: create(DataSourceSchema, { specifier: { case: 'inlineBytes', value: Buffer.from(body.bytes, 'base64') } }),
    }),
  })
}

import type {
  HTTPDirectResponse,
  HTTPMatchRequest,
  HTTPRedirect,
  HTTPRewrite,
} from '../../../crds/kinds/virtual-service.ts'
import { compileSafeRegex, missingGroup } from '../../../lib/safe-regex.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkPort } from './common.ts'

const REDIRECT_CODES = [301, 302, 303, 307, 308]
const BODY_ERROR_BYTES = 1024 * 1024
const BODY_WARNING_BYTES = 100 * 1024

export function checkRedirect(
  redirect: HTTPRedirect,
  matches: readonly HTTPMatchRequest[] | undefined,
  path: FieldPath,
  report: Report,
): void {
  const { uri, prefixRewrite, authority, port, derivePort, scheme, redirectCode } = redirect
  if ([uri, prefixRewrite, authority, port, derivePort, scheme].every((field) => field === undefined || field === '')) {
    report.error(path, 'needs a uri, prefixRewrite, authority, port or scheme, or it redirects to itself')
  }
  if (port !== undefined && derivePort !== undefined) report.error([...path, 'derivePort'], 'cannot stand beside port')
  checkPort(port, [...path, 'port'], report)
  if (scheme !== undefined && !['', 'http', 'https'].includes(scheme)) {
    report.error([...path, 'scheme'], `must be http or https, found "${scheme}"`)
  }
  if (redirectCode !== undefined && redirectCode !== 0 && !REDIRECT_CODES.includes(redirectCode)) {
    report.error([...path, 'redirectCode'], `must be one of ${REDIRECT_CODES.join(', ')}, found ${redirectCode}`)
  }
  if (prefixRewrite === undefined) return
  if (uri !== undefined) report.error([...path, 'prefixRewrite'], 'cannot stand beside uri')
  const prefixed = (matches ?? []).length > 0 && matches?.every((match) => match.uri?.prefix !== undefined)
  if (!prefixed) report.error([...path, 'prefixRewrite'], 'needs every match of the route to be a prefix of the uri')
}

export function checkRewrite(rewrite: HTTPRewrite, path: FieldPath, report: Report): void {
  const { uri, authority, uriRegexRewrite } = rewrite
  if (uriRegexRewrite === undefined) {
    if ((uri ?? '') === '' && (authority ?? '') === '') report.error(path, 'needs a uri, uriRegexRewrite or authority')
    return
  }
  if (uri !== undefined && uri !== '') report.error([...path, 'uriRegexRewrite'], 'cannot stand beside uri')
  const { match, rewrite: substitution } = uriRegexRewrite
  const at = [...path, 'uriRegexRewrite']
  if (match === undefined || match === '') report.error([...at, 'match'], 'must be given')
  if (substitution === undefined || substitution === '') report.error([...at, 'rewrite'], 'must be given')
  const compiled = compileSafeRegex(match ?? '')
  if (!compiled.ok) {
    report.error([...at, 'match'], `is no RE2 pattern: ${compiled.error}`)
    return
  }
  const missing = missingGroup(compiled.regex, substitution ?? '')
  if (missing !== undefined)
    report.error([...at, 'rewrite'], `refers to group ${missing}, which the pattern does not have`)
}

export function checkDirectResponse(response: HTTPDirectResponse, path: FieldPath, report: Report): void {
  const { status, body } = response
  if (status < 200 || status > 599) report.error([...path, 'status'], `must be from 200 to 599, found ${status}`)
  if (body === undefined) return
  if (body.string !== undefined && body.bytes !== undefined) {
    report.error([...path, 'body'], 'only one of string and bytes may be given')
  }
  const field = body.string === undefined ? 'bytes' : 'string'
  const sizeBytes = Buffer.byteLength(body[field] ?? '', field === 'bytes' ? 'base64' : 'utf8')
  const text = `has ${sizeBytes} bytes`
  if (sizeBytes > BODY_ERROR_BYTES)
    report.error([...path, 'body', field], `${text}, at most ${BODY_ERROR_BYTES} are allowed`)
  else if (sizeBytes > BODY_WARNING_BYTES) report.warning([...path, 'body', field], `${text}; every proxy keeps them`)
}

import type { Principal } from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import type { StringMatcher } from '../../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import {
  exactText,
  listValue,
  metadataMatcher,
  prefixText,
  regexText,
  suffixText,
  textMatcher,
  textValue,
} from './matchers.ts'
import { principal, principals } from './terms.ts'

/** What rules ask of a token is found where Envoy's jwt_authn filter leaves its claims. */

const JWT_FILTER = 'envoy.filters.http.jwt_authn'
const PAYLOAD = 'payload'

function claim(path: readonly string[], matcher: StringMatcher): Principal {
  return principal({
    case: 'metadata',
    value: metadataMatcher(JWT_FILTER, [PAYLOAD, ...path], textValue(matcher)),
  })
}

/** The claim is such a text, or a list with one. */
export function claimPrincipal(path: readonly string[], value: string): Principal {
  const matcher = textMatcher(value)
  const list = principal({
    case: 'metadata',
    value: metadataMatcher(JWT_FILTER, [PAYLOAD, ...path], listValue(matcher)),
  })
  return principals.or([claim(path, matcher), list])
}

const present = () => regexText('.+')
const issuer = (matcher: StringMatcher) => claim(['iss'], matcher)
const subject = (matcher: StringMatcher) => claim(['sub'], matcher)
const both = (iss: StringMatcher, sub: StringMatcher) => principals.and([issuer(iss), subject(sub)])

/**
 * `issuer/subject`, divided at the last slash; with a star at its end or beginning, what begins or ends so. Issuers hold slashes
 * themselves, so a beginning may lie wholly within one, and an end within a subject.
 */
export function requestPrincipal(value: string): Principal {
  if (value === '*') return both(present(), present())
  const slash = value.lastIndexOf('/')
  if (value.startsWith('*')) {
    const end = value.slice(1)
    const within = both(present(), suffixText(end))
    if (slash < 0) return within
    const head = value.slice(1, slash)
    const tail = value.slice(slash + 1)
    if (tail === '') return within
    return principals.or([both(head === '' ? present() : suffixText(head), exactText(tail)), within])
  }
  if (value.endsWith('*')) {
    const start = value.slice(0, -1)
    const within = both(prefixText(start), present())
    if (slash < 0) return within
    const tail = value.slice(slash + 1, -1)
    const divided = both(exactText(value.slice(0, slash)), tail === '' ? present() : prefixText(tail))
    return principals.or([divided, within])
  }
  // Without a slash it names no subject, and there is no token without.
  if (slash < 0) return principals.not(principals.any)
  return both(exactText(value.slice(0, slash)), exactText(value.slice(slash + 1)))
}

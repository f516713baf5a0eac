import type { JWTRule, RequestAuthenticationSpec } from '../../../crds/kinds/request-authentication.ts'
import { isHeaderName } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import { isPlainObject } from '../../parse/objects.ts'
import type { Report } from '../../report.ts'
import { checkLabels, checkUnique } from './common.ts'

export function checkRequestAuthentication(spec: RequestAuthenticationSpec, report: Report): void {
  checkLabels(spec.selector?.matchLabels, ['spec', 'selector', 'matchLabels'], report)
  if (spec.selector !== undefined && (spec.targetRef ?? spec.targetRefs) !== undefined) {
    report.error(['spec', 'selector'], 'cannot stand beside targetRefs')
  }
  spec.jwtRules?.forEach((rule, index) => {
    checkJwtRule(rule, ['spec', 'jwtRules', index], report)
  })
}

function checkJwtRule(rule: JWTRule, path: FieldPath, report: Report): void {
  const { issuer = '', jwksUri = '', jwks = '' } = rule
  if (issuer === '' && jwksUri === '') report.error([...path, 'issuer'], 'must be given where there is no jwksUri')
  if (jwksUri !== '') checkUrl(jwksUri, [...path, 'jwksUri'], report)
  else if (jwks === '' && issuer !== '') {
    checkUrl(issuer, [...path, 'issuer'], report, ' to be asked for its keys; give jwksUri or jwks')
  }
  if (jwks !== '') checkKeys(jwks, [...path, 'jwks'], report)
  if (jwks !== '' && jwksUri !== '') report.add('IST0133', [...path, 'jwksUri'], 'is not asked: jwks is given')
  for (const field of ['audiences', 'fromParams', 'fromCookies', 'spaceDelimitedClaims'] as const) {
    rule[field]?.forEach((text, index) => {
      if (text === '') report.error([...path, field, index], 'must not be empty')
    })
  }
  rule.fromHeaders?.forEach(({ name }, index) => {
    checkHeader(name, [...path, 'fromHeaders', index, 'name'], report)
  })
  if (rule.outputPayloadToHeader !== undefined && rule.outputPayloadToHeader !== '') {
    checkHeader(rule.outputPayloadToHeader, [...path, 'outputPayloadToHeader'], report)
  }
  checkClaims(rule, path, report)
}

function checkClaims({ outputClaimToHeaders = [] }: JWTRule, path: FieldPath, report: Report): void {
  const at = (index: number, field: string) => [...path, 'outputClaimToHeaders', index, field]
  outputClaimToHeaders.forEach(({ header, claim }, index) => {
    checkHeader(header, at(index, 'header'), report)
    if (claim === '') report.error(at(index, 'claim'), 'must not be empty')
  })
  const headers = outputClaimToHeaders.map(({ header }) => header.toLowerCase())
  checkUnique(headers, (index) => at(index, 'header'), report)
}

function checkHeader(name: string, path: FieldPath, report: Report): void {
  if (!isHeaderName(name)) report.error(path, `"${name}" is no header name`)
}

function checkUrl(text: string, path: FieldPath, report: Report, why = ''): void {
  let url: URL | undefined
  try {
    url = new URL(text)
  } catch {
    // Said below.
  }
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return
  report.error(path, `"${text}" is no URL of http or https${why}`)
}

function checkKeys(text: string, path: FieldPath, report: Report): void {
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    report.error(path, 'is no JSON')
    return
  }
  const keys = isPlainObject(set) ? set.keys : undefined
  if (!Array.isArray(keys)) report.error(path, 'is no JSON Web Key Set: it has no list of keys')
  else if (keys.length === 0) report.error(path, 'has no keys')
}

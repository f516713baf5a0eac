import {
  type AuthorizationPolicyBody,
  type AuthorizationPolicySpec,
  type AuthorizationRule,
  type Condition,
  DRY_RUN_ANNOTATION,
  type Operation,
  type Source,
} from '../../../crds/kinds/authorization-policy.ts'
import { ATTRIBUTE_NAMES, parseAttribute, REQUEST_HEADERS, type ValueForm } from '../../authorization-attributes.ts'
import { isDnsLabel, isDnsSubdomain, isHeaderName, isSubnet } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { didYouMean } from '../suggest.ts'
import { checkLabels } from './common.ts'
import { checkPathTemplate } from './path-template.ts'

const MAX_RULES = 512
const MAX_SERVICE_ACCOUNTS = 16

/** What a schema cannot say of an AuthorizationPolicy (Istio's ValidateAuthorizationPolicy). */
export function checkAuthorizationPolicy({ spec, metadata }: AuthorizationPolicyBody, report: Report): void {
  const { action = 'ALLOW', provider, rules = [] } = spec
  checkLabels(spec.selector?.matchLabels, ['spec', 'selector', 'matchLabels'], report)
  checkTargets(spec, report)
  if (action === 'CUSTOM' && (provider?.name ?? '') === '') {
    report.error(['spec', 'provider', 'name'], 'must be given for action CUSTOM')
  }
  if (action !== 'CUSTOM' && provider !== undefined) {
    report.error(['spec', 'provider'], `is for action CUSTOM only, found ${action}`)
  }
  if (action !== 'ALLOW' && rules.length === 0) {
    report.warning(['spec', 'rules'], `action ${action} without rules never applies; write rules: [{}] for every call`)
  }
  if (rules.length > MAX_RULES) report.error(['spec', 'rules'], `at most ${MAX_RULES} rules, found ${rules.length}`)
  rules.forEach((rule, i) => {
    checkRule(rule, ['spec', 'rules', i], report)
    if (action === 'CUSTOM') warnOfTokens(rule, ['spec', 'rules', i], report)
  })
  checkDryRun(action, annotationsOf(metadata)[DRY_RUN_ANNOTATION], report)
}

function checkTargets(spec: AuthorizationPolicySpec, report: Report): void {
  const targets = spec.targetRef === undefined ? 'targetRefs' : 'targetRef'
  if (spec[targets] === undefined) return
  if (spec.selector !== undefined) report.error(['spec', targets], 'cannot stand beside a selector')
  if ((spec.targetRefs?.length ?? 0) > 16) report.error(['spec', 'targetRefs'], 'at most 16 targets')
}

function checkDryRun(action: string, dryRun: unknown, report: Report): void {
  if (dryRun === undefined) return
  const path = ['metadata', 'annotations', DRY_RUN_ANNOTATION]
  if (dryRun !== 'true' && dryRun !== 'false') {
    report.warning(path, `must be "true" or "false", found ${JSON.stringify(dryRun)}; the policy is in force`)
  } else if (dryRun === 'true' && action !== 'ALLOW' && action !== 'DENY') {
    report.warning(path, `is for actions ALLOW and DENY only; the ${action} policy is in force`)
  }
}

function annotationsOf(metadata: unknown): Readonly<Record<string, unknown>> {
  const { annotations } = (metadata ?? {}) as { annotations?: Record<string, unknown> | null }
  return annotations ?? {}
}

function checkRule({ from, to, when }: AuthorizationRule, path: FieldPath, report: Report): void {
  if (from?.length === 0) report.error([...path, 'from'], 'must not be empty')
  if (to?.length === 0) report.error([...path, 'to'], 'must not be empty')
  from?.forEach(({ source }, i) => {
    const at = [...path, 'from', i, 'source']
    if (checkLists(source, at, report)) checkSource(source as Source, at, report)
  })
  to?.forEach(({ operation }, i) => {
    const at = [...path, 'to', i, 'operation']
    if (checkLists(operation, at, report)) checkOperation(operation as Operation, at, report)
  })
  when?.forEach((condition, i) => {
    checkCondition(condition, [...path, 'when', i], report)
  })
}

type Lists = Readonly<Record<string, readonly string[] | undefined>>

/** Each list that is given must hold something, and at least one must be given. */
function checkLists(lists: Lists | undefined, path: FieldPath, report: Report): boolean {
  const given = Object.entries(lists ?? {}).filter(([, list]) => list !== undefined)
  if (given.length === 0) {
    report.error(path, 'needs at least one field')
    return false
  }
  for (const [field, list] of given) checkValues(list, [...path, field], report)
  return true
}

function checkValues(list: readonly string[] | undefined, path: FieldPath, report: Report): void {
  if (list?.length === 0) report.error(path, 'must not be empty')
  list?.forEach((value, i) => {
    if (value === '') report.error([...path, i], 'must not be empty')
  })
}

function checkSource(source: Source, path: FieldPath, report: Report): void {
  for (const field of ['ipBlocks', 'notIpBlocks', 'remoteIpBlocks', 'notRemoteIpBlocks'] as const) {
    checkForms(source[field], 'address', [...path, field], report)
  }
  for (const field of ['serviceAccounts', 'notServiceAccounts'] as const) {
    const accounts = source[field]
    if (accounts === undefined) continue
    const at = [...path, field]
    checkForms(accounts, 'service account', at, report)
    if (accounts.length > MAX_SERVICE_ACCOUNTS)
      report.error(at, `at most ${MAX_SERVICE_ACCOUNTS}, found ${accounts.length}`)
    for (const other of ['principals', 'notPrincipals', 'namespaces', 'notNamespaces'] as const) {
      if (source[other] !== undefined) report.error(at, `cannot stand beside ${other}`)
    }
  }
}

function checkOperation(operation: Operation, path: FieldPath, report: Report): void {
  for (const field of ['ports', 'notPorts'] as const) checkForms(operation[field], 'port', [...path, field], report)
  for (const field of ['paths', 'notPaths'] as const) {
    operation[field]?.forEach((value, i) => {
      checkPathTemplate(value, [...path, field, i], report)
    })
  }
}

function checkCondition({ key, values, notValues }: Condition, path: FieldPath, report: Report): void {
  const attribute = parseAttribute(key)
  if (attribute === undefined) {
    const hint = didYouMean(key, ATTRIBUTE_NAMES) || `; known are ${ATTRIBUTE_NAMES.join(', ')}`
    report.error([...path, 'key'], `"${key}" is no attribute${hint}`)
    return
  }
  if (key.startsWith(REQUEST_HEADERS) && !isHeaderName((attribute.keys[0] ?? '').replace(/^:/, ''))) {
    report.error([...path, 'key'], `"${attribute.keys[0]}" is no name of a header`)
  }
  if (values === undefined && notValues === undefined) report.error(path, 'needs values or notValues')
  for (const [field, list] of Object.entries({ values, notValues })) {
    checkValues(list, [...path, field], report)
    checkForms(list, attribute.form, [...path, field], report)
  }
}

const FORMS: Readonly<Record<ValueForm, { is(value: string): boolean; what: string }>> = {
  text: { is: () => true, what: '' },
  address: { is: isSubnet, what: 'no IP address or CIDR prefix' },
  port: { is: isPort, what: 'no port from 1 to 65535' },
  'service account': { is: isServiceAccount, what: 'no service account; write name or namespace/name' },
}

function checkForms(list: readonly string[] | undefined, form: ValueForm, path: FieldPath, report: Report): void {
  const { is, what } = FORMS[form]
  list?.forEach((value, i) => {
    if (value !== '' && !is(value)) report.error([...path, i], `"${value}" is ${what}`)
  })
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535
}

function isServiceAccount(text: string): boolean {
  const parts = text.split('/')
  const [namespace, name] = parts.length === 1 ? [undefined, parts[0]] : parts
  return parts.length <= 2 && isDnsSubdomain(name ?? '') && (namespace === undefined || isDnsLabel(namespace))
}

function warnOfTokens({ from, when }: AuthorizationRule, path: FieldPath, report: Report): void {
  const warn = (at: FieldPath) =>
    report.warning(at, 'is not known yet when an external authorizer is asked: tokens are looked at later')
  from?.forEach(({ source }, i) => {
    for (const field of ['requestPrincipals', 'notRequestPrincipals'] as const) {
      if (source?.[field] !== undefined) warn([...path, 'from', i, 'source', field])
    }
  })
  when?.forEach(({ key }, i) => {
    if (parseAttribute(key)?.isOfToken === true) warn([...path, 'when', i, 'key'])
  })
}

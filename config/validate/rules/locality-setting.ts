import type { LocalityLoadBalancerSetting } from '../../../crds/kinds/destination-rule.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkUnique } from './common.ts'

type Distribute = NonNullable<LocalityLoadBalancerSetting['distribute']>[number]
type Failover = NonNullable<LocalityLoadBalancerSetting['failover']>[number]

const WHOLE_PERCENT = 100

/** Istio's rules (pkg/config/validation, validateLocalityLbSetting). */
export function checkLocalitySetting(
  setting: LocalityLoadBalancerSetting | undefined,
  path: FieldPath,
  hasOutlierDetection: boolean,
  report: Report,
): void {
  if (setting === undefined) return
  const { distribute = [], failover = [], failoverPriority = [] } = setting
  for (const [field, list] of Object.entries({ failover, failoverPriority })) {
    if (distribute.length > 0 && list.length > 0) report.error([...path, field], 'cannot stand beside distribute')
    if (list.length > 0 && setting.enabled !== false && !hasOutlierDetection) {
      report.warning([...path, field], 'has no effect without outlierDetection: nobody would notice that hosts fail')
    }
  }
  for (const [i, entry] of distribute.entries()) checkDistribute(entry, [...path, 'distribute', i], report)
  const froms = distribute.map(({ from = '' }) => from)
  checkUnique(froms, (i) => [...path, 'distribute', i, 'from'], report)
  for (const [i, entry] of failover.entries()) checkFailover(entry, [...path, 'failover', i], report)
  const keys = failoverPriority.map((text) => text.split('=', 1)[0] as string)
  checkUnique(keys, (i) => [...path, 'failoverPriority', i], report)
  keys.forEach((key, i) => {
    if (key === '') report.error([...path, 'failoverPriority', i], 'the key of a label is needed')
  })
}

function checkDistribute({ from = '', to = {} }: Distribute, path: FieldPath, report: Report): void {
  checkPattern(from, [...path, 'from'], report)
  const shares = Object.entries(to)
  for (const [pattern, percent] of shares) {
    const at = [...path, 'to', pattern]
    checkPattern(pattern, at, report)
    if (percent < 1 || percent > WHOLE_PERCENT) report.error(at, `${percent} is not 1 to ${WHOLE_PERCENT}`)
    const other = shares.find(([earlier]) => earlier !== pattern && holds(earlier, pattern))
    if (other !== undefined) report.error(at, `is part of "${other[0]}": a locality must have one share`)
  }
  const sum = shares.reduce((total, [, percent]) => total + percent, 0)
  if (sum !== WHOLE_PERCENT) report.error([...path, 'to'], `the shares are ${sum} together, not ${WHOLE_PERCENT}`)
}

function checkFailover({ from = '', to = '' }: Failover, path: FieldPath, report: Report): void {
  for (const [field, region] of Object.entries({ from, to })) {
    if (region === '' || /[/*]/.test(region)) report.error([...path, field], `"${region}" is no region`)
  }
  if (from === to && from !== '') report.error([...path, 'to'], 'must be another region')
}

/** `region/zone/subzone`, a `*` at its end for any. */
function checkPattern(pattern: string, path: FieldPath, report: Report): void {
  const parts = pattern.split('/')
  const star = parts.indexOf('*')
  const isWhole = parts.every((part) => part === '*' || (part !== '' && !part.includes('*')))
  if (!isWhole || parts.length > 3 || (star >= 0 && star !== parts.length - 1)) {
    report.error(path, `"${pattern}" is no region/zone/subzone, with * at most at its end`)
  }
}

/** Whether every place that meets `inner` meets `outer` too. */
function holds(outer: string, inner: string): boolean {
  const [wide, narrow] = [parts(outer), parts(inner)]
  return wide.length <= narrow.length && wide.every((part, i) => part === narrow[i])
}

/** Without the star, which says what leaving out says. */
function parts(pattern: string): string[] {
  return pattern.split('/').filter((part) => part !== '*')
}

import type { WorkloadSelector } from '../../../crds/kinds/common.ts'
import type { WorkloadEntrySpec } from '../../../crds/kinds/workload-entry.ts'
import { isHostName, isIpAddress, isLabelKey } from '../../names.ts'
import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'
import { checkLabels, isUnixAddress } from './common.ts'

/** Also for the endpoints of a ServiceEntry. */
export function checkWorkloadEntry(entry: WorkloadEntrySpec, path: FieldPath, report: Report): void {
  const { address = '', ports, labels } = entry
  const at = [...path, 'address']
  if (address === '') {
    if (entry.network === undefined) report.error(at, 'must be given')
  } else if (address.startsWith('unix:')) {
    if (!isUnixAddress(address)) report.error(at, 'a Unix socket needs an absolute path: unix:///path')
    if (Object.keys(ports ?? {}).length > 0) report.error([...path, 'ports'], 'a Unix socket has no ports')
  } else if (!isIpAddress(address) && !isHostName(address)) {
    report.error(at, `"${address}" is no IP address, host name or unix:// path`)
  }
  for (const name of Object.keys(ports ?? {})) {
    if (name === '') report.error([...path, 'ports', name], 'a port needs a name')
  }
  checkLabels(labels, [...path, 'labels'], report)
}

export function checkWorkloadSelector(selector: WorkloadSelector | undefined, path: FieldPath, report: Report): void {
  if (selector === undefined) return
  const labels = Object.entries(selector.labels ?? {})
  if (labels.length === 0) report.warning(path, 'has no labels, so it selects every workload of the namespace')
  for (const [key, value] of labels) {
    const at = [...path, 'labels', key]
    if (!isLabelKey(key)) report.error(at, `"${key}" cannot be the key of a label`)
    if (value.includes('*')) report.error(at, 'wildcards are not allowed in a selector')
  }
}

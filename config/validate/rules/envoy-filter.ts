import type { EnvoyFilterSpec } from '../../../crds/kinds/envoy-filter.ts'
import { readPatches } from '../../envoy-filter/patch.ts'
import type { Report } from '../../report.ts'
import { checkWorkloadSelector } from './workload-entry.ts'

export function checkEnvoyFilter(spec: EnvoyFilterSpec, report: Report): void {
  checkWorkloadSelector(spec.workloadSelector, ['spec', 'workloadSelector'], report)
  for (const { path, message, isWrong } of readPatches(spec).problems) {
    if (isWrong) report.error(path, message)
    else report.add('LTN0301', path, `is not applied: ${message}`)
  }
}

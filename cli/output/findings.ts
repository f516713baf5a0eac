import pc from 'picocolors'
import type { Finding } from '../../config/finding.ts'

const LABEL = { error: 'Error', warning: 'Warning', info: 'Info' } as const

/** `Error [IST0101] (VirtualService default/reviews reviews.yaml:12) message`, as istioctl writes it. */
export function formatFinding(finding: Finding): string {
  const { code, severity, object, file, line, message } = finding
  const word = LABEL[severity]
  const painted = severity === 'error' ? pc.bold(pc.red(word)) : severity === 'warning' ? pc.yellow(word) : word
  const subject = object.name === '' ? '' : `${object.kind} ${object.namespace}/${object.name} `
  return `${painted} [${code}] (${subject}${file}:${line}) ${message}`
}

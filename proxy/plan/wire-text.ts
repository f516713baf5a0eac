import { PlanError } from './plan-error.ts'

/** What may stand in a head: no control character but a tab. A line end would begin another field (RFC 9110 section 5.5). */
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/

/**
 * Text of the configuration as it goes into a head: the bytes of its UTF-8, each as one character. Heads are written byte by
 * byte, and a character beyond would be cut to something else. Throws a PlanError.
 */
export function wireText(text: string, path: string): string {
  if (CONTROL.test(text)) throw new PlanError(path, `${JSON.stringify(text)} holds a control character`)
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** The name of a field (RFC 9110 section 5.1). Throws a PlanError. */
export function fieldName(name: string, path: string): string {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    throw new PlanError(path, `${JSON.stringify(name)} is not the name of a field`)
  }
  return name
}

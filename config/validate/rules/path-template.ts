import type { FieldPath } from '../../object.ts'
import type { Report } from '../../report.ts'

/** Envoy takes no longer ones. */
const MAX_TEMPLATE = 256
/** Text that may stand between the slashes of a template (Envoy's uri_template_lib). */
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]*$/

/** Whether a path of a rule is a template: it has `{*}` or `{**}`, or what may be meant so. */
export function isPathTemplate(path: string): boolean {
  return path.includes('{') || path.includes('}')
}

/** `{*}` and `{**}` are whole segments, `{**}` the last one; a plain `*` means something else and may not stand beside them. */
export function checkPathTemplate(path: string, at: FieldPath, report: Report): void {
  if (!isPathTemplate(path)) return
  if (!path.startsWith('/')) report.error(at, `path template "${path}" must begin with a slash`)
  if (path.length > MAX_TEMPLATE) report.error(at, `at most ${MAX_TEMPLATE} characters in a path template`)
  const segments = path.split('/').slice(1)
  segments.forEach((segment, i) => {
    if (segment === '{*}') return
    if (segment === '{**}') {
      if (i < segments.length - 1) report.error(at, `nothing may follow {**} in "${path}"`)
    } else if (isPathTemplate(segment)) {
      report.error(at, `"${segment}" is no part of a path template; only whole segments may be {*} or {**}`)
    } else if (segment === '') {
      report.error(at, `path template "${path}" has an empty segment`)
    } else if (!LITERAL.test(segment)) {
      report.error(at, `"${segment}" cannot be text of a path template`)
    }
  })
}

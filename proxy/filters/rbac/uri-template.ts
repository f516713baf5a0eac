import { compileSafeRegex, type SafeRegex } from '../../../lib/safe-regex.ts'
import { refuse } from '../../plan/plan-error.ts'

/** What a variable stands for: as Envoy 1.40 has it, every visible character but brackets, and slashes where they divide. */
const CHARACTERS = '!-.0-Z\\\\^-~'
const SEGMENT = `[${CHARACTERS}]+`
const TAIL = `[${CHARACTERS}/]*`
const MAX_VARIABLES = 5
const LITERAL = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/
const VARIABLE = /^\{([a-zA-Z_][a-zA-Z0-9_]{0,15})(?:=(.+))?\}$/

/**
 * envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig: `*` is a segment that is not empty, `**` whatever follows,
 * `{name}`, `{name=*}` and `{name=a/**}` the same with a name that nobody asks for here.
 */
export function compileUriTemplate(template: string, where: string): SafeRegex {
  const fail = (reason: string): never => refuse(where, `path template ${JSON.stringify(template)} ${reason}`)
  if (!template.startsWith('/')) fail('must begin with a slash')
  const segments = segmentsOf(template.slice(1))
  const names = new Set<string>()
  let tailSeen = false
  const patterns = segments.map((segment) => {
    const [, name, inner] = VARIABLE.exec(segment) ?? []
    if (name !== undefined) {
      if (names.has(name)) fail(`has ${name} twice`)
      names.add(name)
      if (names.size > MAX_VARIABLES) fail(`has more than ${MAX_VARIABLES} variables`)
    }
    const parts = name === undefined ? [segment] : (inner ?? '*').split('/')
    return parts
      .map((part) => {
        if (tailSeen) fail('has something after **')
        if (part === '**') {
          tailSeen = true
          return TAIL
        }
        if (part === '*') return SEGMENT
        if (!LITERAL.test(part)) fail(`has a segment that is neither *, ** nor text: ${part}`)
        return escapeRegex(part)
      })
      .join('/')
  })
  const compiled = compileSafeRegex(`/${patterns.join('/')}`)
  return compiled.ok ? compiled.regex : fail(compiled.error)
}

/** Slashes within braces do not end a segment. */
function segmentsOf(text: string): string[] {
  const segments = ['']
  let depth = 0
  for (const character of text) {
    if (character === '{') depth++
    else if (character === '}') depth--
    if (character === '/' && depth === 0) segments.push('')
    else segments[segments.length - 1] += character
  }
  return segments
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')
}

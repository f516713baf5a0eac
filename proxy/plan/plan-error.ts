import { errorText } from '../../lib/errors.ts'

/** A resource that cannot be served. `path` names the field, as in `virtual_hosts[0].routes[2].match.safe_regex`. */
export class PlanError extends Error {
  readonly path: string
  readonly reason: string

  constructor(path: string, reason: string) {
    super(path === '' ? reason : `${path}: ${reason}`)
    this.name = 'PlanError'
    this.path = path
    this.reason = reason
  }
}

/** Throws: the field is not honoured, and serving without it would not do what was asked. */
export function refuse(path: string, reason: string): never {
  throw new PlanError(path, reason)
}

/** Refuses for whatever it throws: keys that do not fit, and PEM that is none, come out when OpenSSL takes them. */
export function orRefuse<T>(path: string, create: () => T): T {
  try {
    return create()
  } catch (thrown) {
    return refuse(path, errorText(thrown))
  }
}

import { randomUUID } from 'node:crypto'

const COOKIE = 'session'
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Lax'
const MAX_SESSIONS = 1000
/** What a user may be called: it is handed on as a header. */
const USER = /^[A-Za-z0-9._@-]{1,64}$/

/** Who is signed in, in memory. There are no passwords: any name will do. */
export class Sessions {
  readonly #users = new Map<string, string>()

  /** The Set-Cookie of a new session; undefined when nobody can be called so. */
  open(user: string): string | undefined {
    if (!USER.test(user)) return undefined
    const oldest = this.#users.keys().next()
    if (this.#users.size >= MAX_SESSIONS && !oldest.done) this.#users.delete(oldest.value)
    const id = randomUUID()
    this.#users.set(id, user)
    return `${COOKIE}=${id}; ${ATTRIBUTES}`
  }

  /** Ends the session of a Cookie header, and is the Set-Cookie that makes a browser forget it. */
  close(cookies: string | undefined): string {
    const id = sessionId(cookies)
    if (id !== undefined) this.#users.delete(id)
    return `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`
  }

  userOf(cookies: string | undefined): string | undefined {
    const id = sessionId(cookies)
    return id === undefined ? undefined : this.#users.get(id)
  }
}

function sessionId(cookies: string | undefined): string | undefined {
  for (const cookie of cookies?.split(';') ?? []) {
    const [name, value] = cookie.trim().split('=')
    if (name === COOKIE) return value
  }
  return undefined
}

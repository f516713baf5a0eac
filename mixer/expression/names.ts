import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

/** What makes two names of hosts, addresses of mail, or URIs equal. undefined for what is none. */

/** Names of hosts regardless of case, of the way in which other scripts are written (IDNA), and of a dot at the end. */
export function normalDnsName(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (name === '' || text.length > 255 || /[\s/:@]/.test(name) || isIP(name) !== 0) return undefined
  const ascii = domainToASCII(name)
  return ascii === '' ? undefined : ascii
}

/** The part before the @ as it is, the domain as a name of a host (RFC 5321 section 2.4). */
export function normalEmail(text: string): string | undefined {
  const at = text.lastIndexOf('@')
  if (at <= 0 || at > 64 || /[\s<>,;]/.test(text)) return undefined
  const domain = normalDnsName(text.slice(at + 1))
  return domain === undefined ? undefined : `${text.slice(0, at)}@${domain}`
}

/** As the URL standard writes them: the scheme and host regardless of case, without a port that is the scheme's own. */
export function normalUri(text: string): string | undefined {
  if (text === '' || /\s/.test(text)) return undefined
  try {
    return new URL(text).href
  } catch {
    // A reference without a scheme is a URI for Mixer, and equal to itself.
    return /^[!-~]+$/.test(text) && !/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : undefined
  }
}

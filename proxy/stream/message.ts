import { KnownTexts } from '../../lib/known-texts.ts'
import { latin1 } from '../../lib/latin1.ts'
import { HeaderBlock } from './header-block.ts'

/** How a message's body is delimited (RFC 9112 section 6). */
export const FRAMING = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const
export type Framing = (typeof FRAMING)[keyof typeof FRAMING]

/** A name or an IPv4 address, or an IPv6 address in brackets; then perhaps a port (RFC 3986 section 3.2). */
const NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+;=]|%(?!00)[0-9A-Fa-f]{2})+(?::\d{0,5})?$/
const IPV6 = /^\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9\-._~]+)?\](?::\d{0,5})?$/

/** Whether the text is a host, with or without a port; no userinfo, no comma, no empty name. */
export function isAuthority(text: string): boolean {
  return text.charCodeAt(0) === OPENING_BRACKET ? IPV6.test(text) : NAME.test(text)
}

const OPENING_BRACKET = 91

/** Targets of requests. */
export const PATHS = new KnownTexts()

/** A request head. Owned by its connection and filled anew for every request. */
export class RequestHead extends HeaderBlock {
  method = ''
  /** The request target in origin-form, query included; `*` for OPTIONS and the authority for CONNECT. */
  path = ''
  /** The target as it was received in origin-form; '' when the start line cannot be passed on as it came. */
  receivedPath = ''
  /** The Host, or the authority of an absolute-form target. */
  authority = ''
  scheme = 'http'
  /** It came by HTTP/2. */
  isHttp2 = false
  /** 0 for HTTP/1.0, 1 for HTTP/1.1; 1 too for what came by HTTP/2. */
  minorVersion = 1
  framing: Framing = FRAMING.none
  contentLength = 0
  keepAlive = true
  /** Somebody said `close`, which no `keep-alive` takes back (RFC 9112 section 9.3). */
  saysClose = false
  expectContinue = false
  /** The lower-case token of an Upgrade that `Connection` names, or ''. */
  upgrade = ''
  /** Whether `authority` is no longer what the Host field says, so that Host must be written anew. */
  authorityRewritten = false
  /** Index of the Host field, or -1. */
  hostIndex = -1
  /** The host of an earlier request that was found good: that of the next is nearly always the same text. */
  #knownHost = ''

  /** The text of a host in these bytes, without making it anew when it is the one of before. */
  hostText(bytes: Buffer, start: number, end: number): string {
    const known = this.#knownHost
    if (end - start !== known.length) return latin1(bytes, start, end)
    for (let i = 0; i < known.length; i++) {
      if (bytes[start + i] !== known.charCodeAt(i)) return latin1(bytes, start, end)
    }
    return known
  }

  /** Whether `authority` is one, by isAuthority(). */
  hasValidAuthority(): boolean {
    const { authority } = this
    if (authority === this.#knownHost) return authority !== ''
    if (!isAuthority(authority)) return false
    this.#knownHost = authority
    return true
  }

  override clear(): void {
    super.clear()
    this.method = ''
    this.path = ''
    this.receivedPath = ''
    this.authority = ''
    this.scheme = 'http'
    this.isHttp2 = false
    this.minorVersion = 1
    this.framing = FRAMING.none
    this.contentLength = 0
    this.keepAlive = true
    this.saysClose = false
    this.expectContinue = false
    this.upgrade = ''
    this.authorityRewritten = false
    this.hostIndex = -1
  }

  /** From here on Host is written from the decision's authority. */
  dropHost(): void {
    if (this.hostIndex >= 0) this.removeAt(this.hostIndex)
    this.authorityRewritten = true
  }

  /** A head with bytes of its own, for who needs it longer than the request lasts. */
  copy(): RequestHead {
    const copy = new RequestHead()
    copy.copyFields(this)
    copy.method = this.method
    copy.path = this.path
    copy.receivedPath = this.receivedPath
    copy.authority = this.authority
    copy.scheme = this.scheme
    copy.isHttp2 = this.isHttp2
    copy.minorVersion = this.minorVersion
    copy.framing = this.framing
    copy.contentLength = this.contentLength
    copy.authorityRewritten = this.authorityRewritten
    copy.hostIndex = this.hostIndex
    return copy
  }
}

/** A response head. Owned by its upstream connection and filled anew for every response. */
export class ResponseHead extends HeaderBlock {
  status = 0
  /** The bytes begin with an HTTP/1.1 status line that can be passed on as it is. */
  hasStartLine = false
  minorVersion = 1
  framing: Framing = FRAMING.none
  contentLength = 0
  keepAlive = true
  /** Somebody said `close`, which no `keep-alive` takes back (RFC 9112 section 9.3). */
  saysClose = false
  /** Indexes of these fields, or -1. */
  dateIndex = -1
  serverIndex = -1

  override takeParsed(other: ResponseHead): void {
    super.takeParsed(other)
    this.status = other.status
    this.hasStartLine = other.hasStartLine
    this.minorVersion = other.minorVersion
    this.framing = other.framing
    this.contentLength = other.contentLength
    this.keepAlive = other.keepAlive
    this.saysClose = other.saysClose
    this.dateIndex = other.dateIndex
    this.serverIndex = other.serverIndex
  }

  override clear(): void {
    super.clear()
    this.dateIndex = -1
    this.serverIndex = -1
    this.status = 0
    this.hasStartLine = false
    this.minorVersion = 1
    this.framing = FRAMING.none
    this.contentLength = 0
    this.keepAlive = true
    this.saysClose = false
  }
}

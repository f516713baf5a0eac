/** What the filter found of a gRPC-Web call (gRPC-Web protocol: "application/grpc-web", "application/grpc-web-text"). */
export interface GrpcWebCall {
  /** The request's body is base64. */
  readonly isTextRequest: boolean
  readonly isTextResponse: boolean
  /** What follows in the content type, such as `+proto`. */
  readonly message: string
}

/** Set in the first byte of a message that holds trailers. */
const TRAILERS_FLAG = 0x80

/** The content type of the answer. */
export function responseType({ isTextResponse, message }: GrpcWebCall): string {
  return `application/grpc-web${isTextResponse ? '-text' : ''}${message}`
}

/** Decodes the base64 of a request as it comes. Each message may end with its own padding. */
export class Base64Reader {
  #rest = ''

  reset(): void {
    this.#rest = ''
  }

  /** What the piece makes readable; undefined when it is no base64. */
  read(piece: Buffer): Buffer | undefined {
    const text = this.#rest + piece.toString('latin1')
    const whole = text.length - (text.length % 4)
    this.#rest = text.slice(whole)
    const groups = text.slice(0, whole)
    if (!GROUPS.test(groups)) return undefined
    if (!groups.includes('=')) return Buffer.from(groups, 'base64')
    // node stops at padding: what follows it is decoded apart.
    return Buffer.concat((groups.match(RUNS) ?? []).map((run) => Buffer.from(run, 'base64')))
  }

  /** Whether the end comes at the end of a group. */
  get isWhole(): boolean {
    return this.#rest === ''
  }
}

const GROUPS = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/
const RUNS = /[A-Za-z0-9+/]+={0,2}/g

/** A piece of the answer as the browser gets it. */
export function encodeData(data: Buffer, call: GrpcWebCall): Buffer {
  return call.isTextResponse ? Buffer.from(data.toString('base64'), 'latin1') : data
}

/** Trailers, given as HTTP/1.1 lines, as the last message of the body. */
export function encodeTrailers(lines: string, call: GrpcWebCall): Buffer {
  const content = Buffer.from(lowerNames(lines), 'latin1')
  const message = Buffer.allocUnsafe(5 + content.length)
  message[0] = TRAILERS_FLAG
  message.writeUInt32BE(content.length, 1)
  content.copy(message, 5)
  return encodeData(message, call)
}

function lowerNames(lines: string): string {
  return lines.replace(/^[^:\r\n]+(?=:)/gm, (name) => name.toLowerCase()).replace(/: +/g, ':')
}

/** Builds ClientHello messages for tests. */

export interface HelloParts {
  serverName?: string | Buffer
  protocols?: readonly string[]
  /** Put before the others. */
  extensions?: readonly Buffer[]
  /** Payload bytes of each record; one record when absent. */
  recordBytes?: number
}

export function clientHello(parts: HelloParts = {}): Buffer {
  const extensions = [...(parts.extensions ?? [])]
  if (parts.serverName !== undefined) extensions.push(serverNameExtension(Buffer.from(parts.serverName)))
  if (parts.protocols !== undefined) {
    const list = Buffer.concat(parts.protocols.map((name) => vector(1, Buffer.from(name, 'latin1'))))
    extensions.push(extension(16, vector(2, list)))
  }
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(32, 9)),
    vector(2, Buffer.from([0x13, 0x01, 0xc0, 0x2f])),
    vector(1, Buffer.from([0])),
    ...(extensions.length > 0 ? [vector(2, Buffer.concat(extensions))] : []),
  ])
  const length = Buffer.alloc(3)
  length.writeUIntBE(body.length, 0, 3)
  return records(Buffer.concat([Buffer.from([1]), length, body]), parts.recordBytes ?? 16384)
}

export function serverNameExtension(name: Buffer): Buffer {
  return extension(0, vector(2, Buffer.concat([Buffer.from([0]), vector(2, name)])))
}

export function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, body)])
}

function vector(width: 1 | 2, body: Buffer): Buffer {
  const length = width === 1 ? Buffer.from([body.length]) : Buffer.from([body.length >> 8, body.length & 255])
  return Buffer.concat([length, body])
}

function records(message: Buffer, size: number): Buffer {
  const made: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    made.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + size)))
  }
  return Buffer.concat(made)
}

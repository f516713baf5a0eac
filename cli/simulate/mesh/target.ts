/** What is called, as an application would. */
export interface CallTarget {
  /** Name of the service in the scenario. */
  readonly service: string
  /** The address that the name stands for, or `0.0.0.0` when it has none. */
  readonly address: string
  readonly port: number
  /** The request's head as it is sent, with the empty line. */
  readonly bytes: Buffer
}

export function requestBytes(
  method: string,
  path: string,
  authority: string,
  headers: Readonly<Record<string, string>>,
): Buffer {
  const fields = Object.entries(headers)
  const hasHost = fields.some(([name]) => name.toLowerCase() === 'host')
  const lines = [
    `${method} ${path} HTTP/1.1`,
    ...(hasHost ? [] : [`host: ${authority}`]),
    ...fields.map(([name, value]) => `${name}: ${value}`),
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

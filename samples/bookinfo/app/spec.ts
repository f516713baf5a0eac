/** A host and a port to listen on or to connect to. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** One service to run, as the command line says it. */
export interface AppSpec {
  readonly service: string
  readonly version: string
  readonly pod: string
  readonly listen: Address
  /** Where calls to other services are sent, whatever their name; undefined: to the host of that name. */
  readonly via: Address | undefined
}

const DEFAULT_LISTEN: Address = { host: '0.0.0.0', port: 9080 }

/** Reads `reviews,version=v2,listen=127.0.0.1:9081,via=127.0.0.1:9082,pod=reviews-v2-1`. */
export function parseAppSpec(text: string): AppSpec {
  const [service = '', ...settings] = text.split(',')
  const values = new Map<string, string>()
  for (const setting of settings) {
    const equals = setting.indexOf('=')
    const key = setting.slice(0, equals)
    if (equals < 0 || !['version', 'listen', 'via', 'pod'].includes(key))
      throw new Error(`${text}: what is "${setting}"?`)
    values.set(key, setting.slice(equals + 1))
  }
  const version = values.get('version') ?? 'v1'
  const listen = values.get('listen')
  const via = values.get('via')
  return {
    service,
    version,
    pod: values.get('pod') ?? process.env.HOSTNAME ?? `${service}-${version}`,
    listen: listen === undefined ? DEFAULT_LISTEN : parseAddress(listen),
    via: via === undefined ? undefined : parseAddress(via),
  }
}

function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`"${text}" is not HOST:PORT`)
  return { host: text.slice(0, colon), port }
}

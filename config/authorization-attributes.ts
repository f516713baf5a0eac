/** What the value of an attribute of a `when` condition must look like. */
export type ValueForm = 'text' | 'address' | 'port' | 'service account'

/** One attribute that rules may ask for (istio.io: "Authorization Policy Conditions"). */
export interface Attribute {
  readonly form: ValueForm
  /** It is known of HTTP calls only: a connection of bytes has none. */
  readonly isHttp: boolean
  /** Of a token, which is looked at only after external authorizers have been asked. */
  readonly isOfToken: boolean
  /** What stands in brackets after it. */
  readonly keys: readonly string[]
}

const TEXT: Omit<Attribute, 'keys'> = { form: 'text', isHttp: false, isOfToken: false }
const TOKEN: Omit<Attribute, 'keys'> = { form: 'text', isHttp: true, isOfToken: true }

const PLAIN: Readonly<Record<string, Omit<Attribute, 'keys'>>> = {
  'source.ip': { ...TEXT, form: 'address' },
  'remote.ip': { ...TEXT, form: 'address' },
  'source.namespace': TEXT,
  'source.principal': TEXT,
  'source.serviceAccount': { ...TEXT, form: 'service account' },
  'source.trustDomain': TEXT,
  'request.auth.principal': TOKEN,
  'request.auth.audiences': TOKEN,
  'request.auth.presenter': TOKEN,
  'destination.ip': { ...TEXT, form: 'address' },
  'destination.port': { ...TEXT, form: 'port' },
  'connection.sni': TEXT,
}

export const REQUEST_HEADERS = 'request.headers'
export const REQUEST_CLAIMS = 'request.auth.claims'
export const ENVOY_FILTERS = 'experimental.envoy.filters.'

/** The names, for messages. */
export const ATTRIBUTE_NAMES: readonly string[] = [
  ...Object.keys(PLAIN),
  `${REQUEST_HEADERS}[name]`,
  `${REQUEST_CLAIMS}[claim]`,
  `${ENVOY_FILTERS}a.b[key]`,
]

/** undefined for what is no attribute. */
export function parseAttribute(key: string): Attribute | undefined {
  if (Object.hasOwn(PLAIN, key)) return { ...(PLAIN[key] as Omit<Attribute, 'keys'>), keys: [] }
  const open = key.indexOf('[')
  if (open < 0 || !/^(\[[^[\]]+\])+$/.test(key.slice(open))) return undefined
  const name = key.slice(0, open)
  const keys = key.slice(open + 1, -1).split('][')
  if (name === REQUEST_HEADERS && keys.length === 1) return { ...TEXT, isHttp: true, keys }
  if (name === REQUEST_CLAIMS) return { ...TOKEN, keys }
  return name.startsWith(ENVOY_FILTERS) && keys.length === 1 ? { ...TEXT, keys } : undefined
}

import { type Static, Type } from '@sinclair/typebox'
import { parseDurationMs } from '../../../crds/duration.ts'
import { durationOrZero, int32, message, oneOf, strings } from '../../../crds/schema.ts'
import { errorText } from '../../../lib/errors.ts'
import type { Adapter, CheckResult, Handler, HandlerEnvironment, Instance } from '../adapter.ts'
import { type Entries, NoSuchValue, readEntries } from './entries.ts'
import { ListProvider } from './provider.ts'

const INVALID_ARGUMENT = 3
const NOT_FOUND = 5
const PERMISSION_DENIED = 7

const Params = message({
  providerUrl: Type.Optional(Type.String({ description: 'http or https; an entry a line.' })),
  refreshInterval: Type.Optional(durationOrZero()),
  ttl: Type.Optional(durationOrZero('So long a list counts that could not be fetched anew.')),
  cachingInterval: Type.Optional(durationOrZero()),
  cachingUseCount: Type.Optional(int32()),
  overrides: Type.Optional(strings('On the list whatever the provider says.')),
  entryType: Type.Optional(oneOf(['STRINGS', 'CASE_INSENSITIVE_STRINGS', 'IP_ADDRESSES', 'REGEX'])),
  blacklist: Type.Optional(Type.Boolean()),
})
type Params = Static<typeof Params>

const ms = (text: string) => parseDurationMs(text) ?? 0

/** Lets pass what is on a list, or what is not. */
export const list: Adapter<Params> = {
  name: 'list',
  aliases: ['listchecker'],
  templates: ['listentry'],
  params: Params,
  outputs: { value: 'STRING' },

  validate({ providerUrl = '', overrides = [], entryType = 'STRINGS', refreshInterval, ttl }, error) {
    if (providerUrl !== '' && !/^https?:\/\//.test(providerUrl)) error(['providerUrl'], 'must be an http or https URL')
    if (providerUrl === '' && overrides.length === 0) error(['overrides'], 'nothing would be on the list')
    if (refreshInterval !== undefined && ms(refreshInterval) < 1000) error(['refreshInterval'], 'must be at least 1s')
    if (ms(ttl ?? '300s') < ms(refreshInterval ?? '60s')) error(['ttl'], 'must not be shorter than refreshInterval')
    try {
      readEntries(entryType, overrides)
    } catch (thrown) {
      error(['overrides'], errorText(thrown))
    }
  },

  open: (params, environment) => new ListHandler(params, environment),
}

class ListHandler implements Handler {
  readonly #blacklist: boolean
  readonly #valid: { readonly validDurationMs: number; readonly validUseCount: number }
  readonly #provider: ListProvider | undefined
  readonly #entries: () => Entries

  constructor(params: Params, environment: HandlerEnvironment) {
    const { providerUrl = '', overrides = [], entryType = 'STRINGS', blacklist = false } = params
    const { refreshInterval = '60s', ttl = '300s', cachingInterval = '300s', cachingUseCount = 10_000 } = params
    this.#blacklist = blacklist
    this.#valid = { validDurationMs: ms(cachingInterval), validUseCount: cachingUseCount }
    if (providerUrl === '') {
      const entries = readEntries(entryType, overrides)
      this.#entries = () => entries
    } else {
      const provider = new ListProvider(
        { url: providerUrl, type: entryType, overrides, refreshMs: ms(refreshInterval), ttlMs: ms(ttl) },
        environment,
      )
      this.#provider = provider
      this.#entries = () => provider.current()
    }
  }

  check({ values }: Instance): CheckResult {
    const value = values.value as string
    const entries = this.#entries()
    let found: string | undefined
    try {
      found = entries.find(value)
    } catch (thrown) {
      if (!(thrown instanceof NoSuchValue)) throw thrown
      return { code: INVALID_ARGUMENT, message: thrown.message, ...this.#valid }
    }
    const output = { value: found ?? '' }
    if (this.#blacklist) {
      const isOn = found !== undefined
      return {
        code: isOn ? PERMISSION_DENIED : 0,
        message: isOn ? `${value} is blacklisted` : '',
        ...this.#valid,
        output,
      }
    }
    const isOff = found === undefined
    return { code: isOff ? NOT_FOUND : 0, message: isOff ? `${value} is not whitelisted` : '', ...this.#valid, output }
  }

  /** For tests. */
  get provider(): ListProvider | undefined {
    return this.#provider
  }

  close(): void {
    this.#provider?.close()
  }
}

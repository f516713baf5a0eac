import { createRequire } from 'node:module'
import { errorText } from './errors.ts'

/** Read by SSL_CTX_new() for every context (OpenSSL's config(5), "SSL Configuration"; SSL_CONF_cmd(3), "NumTickets"). */
const SETTINGS = Buffer.from(`lateen = modules
[modules]
ssl_conf = names
[names]
system_default = settings
[settings]
NumTickets = 1
`)

/**
 * Has servers give each new client of TLS 1.3 one ticket where OpenSSL gives two. A ticket holds the client's certificate, and
 * making one costs OpenSSL as much as reading that certificate. Node has no word for it, so that OpenSSL is told through koffi,
 * as it would be by its configuration file. It holds for contexts that are made from now on, by any thread of this process.
 *
 * Returns '' or why it could not be done: then there are two, as before.
 */
export function giveOneTicket(): string {
  if (hasOwnSettings()) return 'OpenSSL has settings of its own, which these would replace'
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load(null)
    const newConfig = library.func('void *NCONF_new(void *method)')
    const newSource = library.func('void *BIO_new_mem_buf(const void *bytes, int length)')
    const readConfig = library.func('int NCONF_load_bio(void *config, void *source, void *line)')
    const apply = library.func('int CONF_modules_load(void *config, const char *name, unsigned long flags)')
    const freeSource = library.func('int BIO_free(void *source)')
    const freeConfig = library.func('void NCONF_free(void *config)')
    const config = newConfig(null)
    const source = newSource(SETTINGS, SETTINGS.length)
    try {
      const isDone = readConfig(config, source, null) === 1 && apply(config, 'lateen', 0) === 1
      return isDone ? '' : 'OpenSSL did not take the settings'
    } finally {
      freeSource(source)
      freeConfig(config)
    }
  } catch (thrown) {
    return `koffi cannot be used: ${errorText(thrown)}`
  }
}

/** A machine's rules for all of TLS are kept in the same place: they go before what is saved here. */
function hasOwnSettings(): boolean {
  const { env, execArgv, config } = process
  const isShared = (config.variables as Record<string, unknown>).node_shared_openssl === true
  const options = `${execArgv.join(' ')} ${env.NODE_OPTIONS ?? ''}`
  return isShared || env.OPENSSL_CONF !== undefined || options.includes('--openssl-')
}

/** Envoy's word in the place of what must not be shown. */
const REDACTED = '[redacted]'
const REDACTED_BYTES = Buffer.from(REDACTED).toString('base64')

/**
 * The fields that their protos mark with `udpa.annotations.sensitive`, and the one message that holds such a field under a
 * common name. They are known by name wherever they stand, in whatever was packed.
 */
const SENSITIVE = new Set(['private_key', 'pkcs12', 'password'])
/** Tokens that are written out. */
const TOKENS = new Set(['access_token', 'google_refresh_token', 'json_key'])
const SENSITIVE_WITHIN: Readonly<Record<string, readonly string[]>> = {
  session_ticket_keys: ['keys'],
  generic_secret: ['secret', 'secrets'],
  private_key_provider: ['typed_config'],
}

/**
 * A message as JSON, with the names of its proto, without private keys, their passwords and keys of tickets. Which file they
 * are in is not said either, as in Envoy. Changes what it is given.
 */
export function redact<T>(json: T): T {
  walk(json, [])
  return json
}

function walk(value: unknown, sensitive: readonly string[]): void {
  if (Array.isArray(value)) for (const item of value) walk(item, sensitive)
  else if (typeof value === 'object' && value !== null) {
    const fields = value as Record<string, unknown>
    for (const [key, inner] of Object.entries(fields)) {
      if (TOKENS.has(key)) fields[key] = REDACTED
      if (key === 'initial_metadata' && Array.isArray(inner)) inner.forEach(redactHeader)
      if (typeof inner !== 'object') continue
      if (SENSITIVE.has(key) || sensitive.includes(key)) fields[key] = blank(inner, key)
      else walk(inner, SENSITIVE_WITHIN[key] ?? [])
    }
  }
}

/** Of what is sent with each stream, what says who sends it. */
function redactHeader(header: Record<string, unknown>): void {
  if (String(header.key).toLowerCase() !== 'authorization') return
  for (const field of ['value', 'raw_value']) {
    if (header[field] !== undefined) header[field] = field === 'value' ? REDACTED : REDACTED_BYTES
  }
}

/** All texts, bytes and numbers of it gone, and its shape kept. */
function blank(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.map((item) => blank(item, key))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, blank(inner, name)]))
  }
  if (key === '@type') return value
  return key === 'inline_bytes' ? REDACTED_BYTES : REDACTED
}

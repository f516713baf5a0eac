/** PEM text of DER bytes (RFC 7468). */
export function toPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The DER bytes of every block with one of these labels, in order. What lies between blocks is passed over. */
export function fromPem(text: string, ...labels: readonly string[]): Buffer[] {
  const blocks: Buffer[] = []
  for (const [, label, body] of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/g)) {
    if (labels.includes(label as string)) blocks.push(Buffer.from(body as string, 'base64'))
  }
  return blocks
}

/** What every Buffer of node has beside what its types say. */
interface Latin1 {
  latin1Slice(from: number, to: number): string
  latin1Write(text: string, at: number, length: number): number
}

/**
 * The text of latin1 bytes from `from` to `to`, which must lie within. Buffer.toString() first looks up the encoding by its name
 * and puts the range right: for the few bytes of a header field that takes as long as making the text.
 */
export function latin1(bytes: Buffer, from: number, to: number): string {
  return (bytes as unknown as Latin1).latin1Slice(from, to)
}

/** Puts the whole text at `at`, where there must be room for it. As above, of Buffer.write(). */
export function putLatin1(bytes: Buffer, at: number, text: string): void {
  ;(bytes as unknown as Latin1).latin1Write(text, at, text.length)
}

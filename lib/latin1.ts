/** What every Buffer of node has beside what its types say. */
interface Slicing {
  latin1Slice(from: number, to: number): string
}

/**
 * The text of latin1 bytes from `from` to `to`, which must lie within. Buffer.toString() first looks up the encoding by its name
 * and puts the range right: for the few bytes of a header field that takes as long as making the text.
 */
export function latin1(bytes: Buffer, from: number, to: number): string {
  return (bytes as unknown as Slicing).latin1Slice(from, to)
}

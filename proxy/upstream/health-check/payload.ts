/** Whether the blocks stand in the bytes, one after another, with anything between them (envoy: PayloadMatcher). */
export function containsInOrder(blocks: readonly Buffer[], bytes: Buffer): boolean {
  let from = 0
  for (const block of blocks) {
    const at = bytes.indexOf(block, from)
    if (at < 0) return false
    from = at + block.length
  }
  return true
}

const PATIENCE_MS = Number(process.env.LATEEN_TEST_PATIENCE_MS || 10_000)

/** Waits until `check` no longer throws. */
export async function eventually(check: () => unknown, patienceMs = PATIENCE_MS): Promise<void> {
  const endMs = Date.now() + patienceMs
  for (;;) {
    try {
      await check()
      return
    } catch (thrown) {
      if (Date.now() > endMs) throw thrown
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}

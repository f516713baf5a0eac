import type { HandlerEnvironment } from '../adapter.ts'

/** More is no answer of an adapter. */
const MAX_ANSWER_BYTES = 64 * 1024

/** Sends JSON, and returns the JSON that is answered; undefined for an empty body. Rejects for anything but a status of 2xx. */
export async function postJson(
  url: string,
  body: unknown,
  timeoutMs: number,
  { clock }: Pick<HandlerEnvironment, 'clock'>,
): Promise<unknown> {
  const abort = new AbortController()
  const timer = clock.setTimer(timeoutMs, () => abort.abort(new Error(`no answer in ${timeoutMs} ms`)))
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: abort.signal,
    })
    const text = await readBounded(response)
    if (!response.ok) throw new Error(`answers ${response.status}`)
    return text === '' ? undefined : JSON.parse(text)
  } catch (thrown) {
    // What fetch itself says is that it failed.
    throw thrown instanceof TypeError && thrown.cause instanceof Error ? thrown.cause : thrown
  } finally {
    timer.cancel()
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`answers more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { rootCertificates } from 'node:tls'
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'

export interface FetchOptions {
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly clock: Clock
  /** PEM of certificates that are believed beside those of node. */
  readonly ca?: readonly string[] | undefined
}

/**
 * The content at a URL of http or https. The certificate of a server is verified. Redirects are not followed: who is asked is
 * who was configured. Throws a MeshError FETCH_FAILED.
 */
export function fetchText(url: string, { timeoutMs, maxBytes, clock, ca }: FetchOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const { protocol } = new URL(url)
    if (protocol !== 'http:' && protocol !== 'https:') {
      reject(failed(url, 'it is no URL of http or https'))
      return
    }
    const options = {
      agent: false as const,
      headers: { accept: 'application/json' },
      ca: ca && [...rootCertificates, ...ca],
    }
    const onAnswer = (response: IncomingMessage) => {
      if (response.statusCode !== 200) {
        giveUp(`status ${response.statusCode}`)
        return
      }
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > maxBytes) giveUp(`it has more than ${maxBytes} bytes`)
        else chunks.push(chunk)
      })
      response.on('end', () => {
        timer.cancel()
        resolve(Buffer.concat(chunks).toString('utf8'))
      })
      response.on('error', onError)
    }
    const onError = (error: Error) => {
      timer.cancel()
      reject(failed(url, error.message))
    }
    // What is destroyed may still end well.
    const giveUp = (reason: string) => {
      timer.cancel()
      reject(failed(url, reason))
      request.destroy()
    }
    const request = protocol === 'https:' ? getHttps(url, options, onAnswer) : getHttp(url, options, onAnswer)
    const timer = clock.setTimer(timeoutMs, () => giveUp(`no answer in ${timeoutMs} ms`))
    request.on('error', onError)
  })
}

function failed(url: string, reason: string): MeshError {
  return new MeshError('FETCH_FAILED', `${url}: ${reason}`, { source: 'upstream' })
}

import { connect } from 'node:net'

const CONNECTIONS = 4
const TIMEOUT_MS = 60_000

/** What came back for one request. */
export interface Answer {
  /** Number of the backend, or -1 where none answered. */
  readonly backend: number
  readonly setCookie: string | undefined
}

/** Sends requests, each written in full, down a few connections one behind the other; the answers in the order of the requests. */
export async function askInBulk(
  host: string,
  port: number,
  requests: readonly string[],
  connections = CONNECTIONS,
): Promise<Answer[]> {
  const size = Math.ceil(requests.length / connections)
  const parts = Array.from({ length: connections }, (_, i) => requests.slice(i * size, (i + 1) * size))
  return (await Promise.all(parts.map((part) => askOne(host, port, part)))).flat()
}

/** The backends alone. */
export async function backendsOf(host: string, port: number, requests: readonly string[]): Promise<number[]> {
  return (await askInBulk(host, port, requests)).map(({ backend }) => backend)
}

function askOne(host: string, port: number, requests: readonly string[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const answers: Answer[] = []
    if (requests.length === 0) {
      resolve(answers)
      return
    }
    const socket = connect(port, host, () => socket.write(requests.join(''), 'latin1'))
    let tail = ''
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${answers.length} of ${requests.length} answers`)))
    socket.on('data', (chunk: Buffer) => {
      const heads = (tail + chunk.toString('latin1')).split('\r\n\r\n')
      tail = heads.pop() as string
      for (const head of heads) {
        const backend = /^x-b: (\d+)/im.exec(head)?.[1]
        if (backend === undefined) {
          socket.destroy(new Error(head))
          return
        }
        answers.push({ backend: Number(backend), setCookie: /^set-cookie: (.*)$/im.exec(head)?.[1] })
      }
      if (answers.length < requests.length) return
      socket.destroy()
      resolve(answers)
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`${host}:${port} closed after ${answers.length} of ${requests.length}`)))
  })
}

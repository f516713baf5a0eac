import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import {
  HeaderValueOption_HeaderAppendAction as Action,
  type HeaderValueOptionSchema,
} from '../../api/gen/envoy/config/core/v3/base_pb.js'
import type { AttributeContext_Peer } from '../../api/gen/envoy/service/auth/v3/attribute_context_pb.js'
import {
  Authorization,
  type CheckRequest,
  type CheckResponse,
  CheckResponseSchema,
} from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import { serviceDefinition } from '../../api/grpc.ts'

/** What a server of verdicts was told of a call, as far as two proxies can agree on it. */
export interface Told {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly extensions: Record<string, string>
}

type Answer = MessageInitShape<typeof CheckResponseSchema> | 'error' | 'silence'

type Field = MessageInitShape<typeof HeaderValueOptionSchema>
const header = (key: string, value: string, append?: boolean): Field => ({
  header: { key, value },
  ...(append !== undefined && { append }),
})

const action = (key: string, value: string, appendAction: Action): Field => ({ header: { key, value }, appendAction })

/** Fields of an answer, in all the ways in which they can be laid over `there`, and over what is not there. */
const laidOver = (there: string) =>
  [there, 'x-none'].flatMap((name) => [
    action(name, 'if absent', Action.ADD_IF_ABSENT),
    action(`${name}-2`, 'if absent', Action.ADD_IF_ABSENT),
    action(name, 'appended', Action.APPEND_IF_EXISTS_OR_ADD),
    action(`${name}-3`, 'overwritten if there', Action.OVERWRITE_IF_EXISTS),
    action(`${name}-4`, 'overwritten', Action.OVERWRITE_IF_EXISTS_OR_ADD),
    header(`${name}-5`, 'as ever', false),
    header(`${name}-5`, 'appended', true),
  ])

/** By the call's header x-case. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  ok: { status: { code: 0 } },
  fields: {
    status: { code: 0 },
    httpResponse: {
      case: 'okResponse',
      value: {
        headers: [header('x-user', 'alice'), header('x-more', 'b', true), header('x-none', 'c', true)],
        headersToRemove: ['x-secret'],
        responseHeadersToAdd: [header('x-checked', 'yes', true)],
      },
    },
  },
  query: {
    status: { code: 0 },
    httpResponse: {
      case: 'okResponse',
      value: { queryParametersToSet: [{ key: 'who', value: 'me' }], queryParametersToRemove: ['x'] },
    },
  },
  answered: {
    status: { code: 0 },
    httpResponse: { case: 'okResponse', value: { responseHeadersToAdd: laidOver('x-from-upstream') } },
  },
  overwritten: {
    status: { code: 0 },
    httpResponse: {
      case: 'okResponse',
      value: { responseHeadersToAdd: [action('x-from-upstream', 'ours', Action.OVERWRITE_IF_EXISTS)] },
    },
  },
  refused: {
    status: { code: 7 },
    httpResponse: { case: 'deniedResponse', value: { status: { code: 409 }, headers: laidOver('content-type') } },
  },
  denied: { status: { code: 7 } },
  told: {
    status: { code: 16 },
    httpResponse: {
      case: 'deniedResponse',
      value: {
        status: { code: 401 },
        headers: [header('www-authenticate', 'Basic'), header('content-type', 'text/html')],
        body: '<p>no</p>',
      },
    },
  },
  error: 'error',
  silence: 'silence',
}

/** What it was told of a connection of bytes. */
export interface ToldConnection {
  readonly source: string
  /** Of the caller, and of the workload. */
  readonly principals: string
}

export class GrpcAuthorizationServer {
  readonly told: Told[] = []
  readonly connections: ToldConnection[] = []
  /** Of each call in turn: the caller's, and the workload's. */
  readonly principals: string[] = []
  /** What is said of connections, of which nothing is known. */
  connectionAnswer: Answer = { status: { code: 0 } }
  readonly #waiting: sendUnaryData<CheckResponse>[] = []
  port = 0
  readonly #server = new Server()

  async listen(): Promise<number> {
    this.#server.addService(serviceDefinition(Authorization), {
      check: (call: ServerUnaryCall<CheckRequest, CheckResponse>, callback: sendUnaryData<CheckResponse>) =>
        this.#check(call.request, callback),
    })
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
    return this.port
  }

  close(): void {
    this.#server.forceShutdown()
  }

  #check({ attributes }: CheckRequest, callback: sendUnaryData<CheckResponse>): void {
    const http = attributes?.request?.http
    const principals = `${attributes?.source?.principal} ${attributes?.destination?.principal}`
    if (http === undefined) {
      this.#checkConnection(attributes?.source, principals, callback)
      return
    }
    this.principals.push(principals)
    const { headers, method, path, host, body } = http
    this.told.push({ method, path, host, headers, body, extensions: attributes?.contextExtensions ?? {} })
    const answer = ANSWERS[headers['x-case'] ?? 'ok'] ?? 'error'
    this.#answer(answer, callback)
  }

  #checkConnection(
    source: AttributeContext_Peer | undefined,
    principals: string,
    callback: sendUnaryData<CheckResponse>,
  ): void {
    const address = source?.address?.address
    this.connections.push({
      source: address?.case === 'socketAddress' ? address.value.address : '',
      principals,
    })
    this.#answer(this.connectionAnswer, callback)
  }

  #answer(answer: Answer, callback: sendUnaryData<CheckResponse>): void {
    if (answer === 'silence') this.#waiting.push(callback)
    else if (answer === 'error') callback({ code: status.UNAVAILABLE, details: 'out' })
    else callback(null, create(CheckResponseSchema, answer))
  }

  /** Breaks its silence. */
  release(answer: Answer): void {
    for (const callback of this.#waiting.splice(0)) this.#answer(answer, callback)
  }
}

/** The same over plain HTTP. */
export class HttpAuthorizationServer {
  readonly told: Told[] = []
  readonly #server: HttpServer = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      this.told.push(toldOf(request, Buffer.concat(chunks).toString()))
      switch (request.headers['x-case']) {
        case 'fields':
          response.writeHead(200, { 'x-user': 'alice', 'x-more': 'b', 'x-none': 'c', 'x-checked': 'yes' }).end()
          return
        case 'denied':
          response.writeHead(403, { 'x-reason': 'because', 'x-hidden': 'h' }).end('no')
          return
        case 'told':
          response.writeHead(302, { location: 'https://login.test/' }).end()
          return
        case 'error':
          response.writeHead(500).end('broken')
          return
        case 'silence':
          return
        default:
          response.writeHead(200).end('ignored')
      }
    })
  })

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

function toldOf({ method = '', url = '', headers }: IncomingMessage, body: string): Told {
  const { host = '', ...others } = headers
  const text = Object.entries(others).map(([name, value]) => [name, String(value)])
  return { method, path: url, host, headers: Object.fromEntries(text), body, extensions: {} }
}

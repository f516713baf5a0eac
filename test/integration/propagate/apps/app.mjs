import { EventEmitter } from 'node:events'
import { Agent, createServer, get, request } from 'node:http'
import { connect, createSecureServer, createServer as createServer2 } from 'node:http2'
import { createServer as createServerTls, get as getTls, request as requestTls } from 'node:https'
import * as grpc from '@grpc/grpc-js'
import * as undici from 'undici'
import { serve } from './ways.cjs'

const m = {
  http: { createServer, get, request, Agent },
  http2: { connect, createServer: createServer2, createSecureServer },
  https: { createServer: createServerTls, get: getTls, request: requestTls },
  events: { EventEmitter },
  grpc,
  undici,
}
serve(m, JSON.parse(process.argv[2]))

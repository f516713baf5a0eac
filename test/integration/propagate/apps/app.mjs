import { EventEmitter } from 'node:events'
import { Agent, createServer, get, request } from 'node:http'
import { connect, createServer as createServer2 } from 'node:http2'
import * as grpc from '@grpc/grpc-js'
import * as undici from 'undici'
import { serve } from './ways.cjs'

const m = {
  http: { createServer, get, request, Agent },
  http2: { connect, createServer: createServer2 },
  events: { EventEmitter },
  grpc,
  undici,
}
serve(m, JSON.parse(process.argv[2]))

'use strict'
const { createServer, get, request, Agent } = require('node:http')
const { connect, createServer: createServer2, createSecureServer } = require('node:http2')
const https = require('node:https')
const { serve } = require('./ways.cjs')

const m = {
  http: { createServer, get, request, Agent },
  http2: { connect, createServer: createServer2, createSecureServer },
  https,
  events: require('node:events'),
  grpc: require('@grpc/grpc-js'),
  undici: require('undici'),
}
serve(m, JSON.parse(process.argv[2]))

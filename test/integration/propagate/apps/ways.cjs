'use strict'
// Ways of an application to call another, by name. They know nothing of tracing; each resolves to what the upstream heard.
// `m` has the modules as the application imported them, so that the same ways are tried with both kinds of imports.

/** What the upstream answered: the headers it got, as JSON. */
function read(stream) {
  return new Promise((resolve, reject) => {
    let text = ''
    stream.setEncoding('utf8')
    stream.on('data', (chunk) => {
      text += chunk
    })
    stream.on('end', () => resolve(JSON.parse(text)))
    stream.on('error', reject)
  })
}

const heard = (start) =>
  new Promise((resolve, reject) => start((answer) => resolve(read(answer))).on('error', reject)).then((value) => value)

exports.makeWays = (m, { h1, h2, https, grpc }) => {
  const url = `http://127.0.0.1:${h1}/x`
  const keepAlive = new m.http.Agent({ keepAlive: true, maxSockets: 2 })
  const pool = m.undici && new m.undici.Pool(`http://127.0.0.1:${h1}`, { connections: 1 })
  const bounded = m.undici && new m.undici.Agent({ connections: 1 })
  let session
  const overHttp2 = (headers) => {
    session ??= m.http2.connect(`http://127.0.0.1:${h2}`)
    return read(session.request(headers))
  }
  let client
  const overGrpc = (options) => {
    client ??= new m.grpc.Client(`127.0.0.1:${grpc}`, m.grpc.credentials.createInsecure())
    const same = (bytes) => bytes
    return new Promise((resolve, reject) => {
      const done = (error, bytes) => (error ? reject(error) : resolve(JSON.parse(bytes.toString())))
      client.makeUnaryRequest('/test.Echo/headers', same, same, Buffer.from('x'), ...options, done)
    })
  }
  return {
    'http.get of a text': () => heard((f) => m.http.get(url, f)),
    'http.get of a URL and options': () => heard((f) => m.http.get(new URL(url), { headers: { a: 'b' } }, f)),
    'http.request of options': () =>
      heard((f) => m.http.request({ host: '127.0.0.1', port: h1, path: '/x', method: 'POST' }, f).end('body')),
    'http.request with a list of headers': () =>
      heard((f) => m.http.request(url, { headers: ['Host', 'h', 'A', 'b'] }, f).end()),
    'http.request with Expect': () =>
      heard((f) => m.http.request(url, { headers: { Expect: '100-continue' }, method: 'POST' }, f).end('body')),
    'http.request over a kept connection': () => heard((f) => m.http.request(url, { agent: keepAlive }, f).end()),
    'http.request with its own': () =>
      heard((f) => m.http.get(url, { headers: { Traceparent: 'own', 'x-envoy-expected-rq-timeout-ms': '7' } }, f)),
    'https.get': () => heard((f) => m.https.get({ host: '127.0.0.1', port: https, rejectUnauthorized: false }, f)),
    'https.request': () =>
      heard((f) => m.https.request(`https://127.0.0.1:${https}/`, { rejectUnauthorized: false }, f).end()),
    fetch: async () => (await fetch(url)).json(),
    'fetch with its own': async () =>
      (await fetch(url, { headers: { traceparent: 'own', 'X-Envoy-Expected-Rq-Timeout-Ms': '7' } })).json(),
    http2: () => overHttp2({ ':path': '/x' }),
    'http2 with its own': () => overHttp2({ ':path': '/x', traceparent: 'own', 'x-envoy-expected-rq-timeout-ms': '7' }),
    ...(m.grpc && {
      grpc: () => overGrpc([]),
      'grpc with a deadline of 50 s': () => overGrpc([new m.grpc.Metadata(), { deadline: Date.now() + 50_000 }]),
      'grpc with a deadline of 2 s': () => overGrpc([new m.grpc.Metadata(), { deadline: Date.now() + 2000 }]),
    }),
    ...(m.undici && {
      'undici.request': async () => (await m.undici.request(url)).body.json(),
      'undici.fetch by a pool of one': async () => (await m.undici.fetch(url, { dispatcher: bounded })).json(),
      'undici.Pool of one': async () => (await pool.request({ path: '/x', method: 'GET' })).body.json(),
    }),
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Ways of getting from the request to the call. */
exports.makePaths = (m) => {
  const emitter = new m.events.EventEmitter()
  emitter.setMaxListeners(0)
  return {
    straight: (_request, call) => call(),
    awaits: async (_request, call) => {
      await null
      await pause(5)
      return call()
    },
    immediate: (_request, call) => new Promise((resolve) => setImmediate(() => resolve(call()))),
    emitter: (_request, call) =>
      new Promise((resolve) => {
        const name = Symbol('event')
        emitter.once(name, () => resolve(call()))
        process.nextTick(() => emitter.emit(name))
      }),
    body: (request, call) =>
      new Promise((resolve) => {
        request.on('data', () => {})
        request.on('end', () => resolve(call()))
      }),
    iterated: async (request, call) => {
      for await (const _ of request);
      return call()
    },
    together: async (_request, call) => {
      const [first, second] = await Promise.all([call(), pause(1).then(call)])
      if (first.traceparent !== second.traceparent) throw new Error('two calls of one request differ')
      return first
    },
    'after another': async (_request, call) => {
      await call()
      return call()
    },
  }
}

/** Answers `/way/path` with what the upstream heard of the call made so, over HTTP/1.1 and HTTP/2. */
exports.serve = (m, ports) => {
  const ways = exports.makeWays(m, ports)
  const paths = exports.makePaths(m)
  const handle = async (request, response) => {
    const [, way, path = 'straight'] = request.url.split('/').map(decodeURIComponent)
    try {
      const answer = JSON.stringify(await paths[path](request, ways[way]))
      response.end(answer)
      // What goes on after the answer.
      if (path === 'straight' && request.headers['go-on']) setTimeout(() => ways[way](), 20)
    } catch (error) {
      response.statusCode = 500
      response.end(JSON.stringify(String(error?.stack)))
    }
  }
  const server = m.http.createServer(handle).listen(0, '127.0.0.1')
  const upgraded = m.http.createServer().listen(0, '127.0.0.1')
  upgraded.on('upgrade', async (_request, socket) => {
    const answer = JSON.stringify(await ways.fetch())
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n${answer}`)
  })
  const compat = m.http2.createServer(handle).listen(0, '127.0.0.1')
  const streams = m.http2.createServer().listen(0, '127.0.0.1')
  streams.on('stream', (stream) => {
    stream.resume()
    stream.on('end', async () => {
      const answer = await ways.fetch()
      stream.respond({ ':status': 200 })
      stream.end(JSON.stringify(answer))
    })
  })
  const { cert, key } = ports
  const secure = m.https.createServer({ cert, key }, handle).listen(0, '127.0.0.1')
  const both = m.http2.createSecureServer({ cert, key, allowHTTP1: true }, handle).listen(0, '127.0.0.1')
  // A call outside any request.
  const outside = () => ways.fetch()
  process.on('message', async () => process.send({ outside: await outside() }))
  setImmediate(function wait() {
    const all = [server, upgraded, compat, streams, secure, both].map((one) => one.address()?.port)
    if (all.every(Boolean)) process.send({ ports: all, ways: Object.keys(ways), paths: Object.keys(paths) })
    else setImmediate(wait)
  })
}

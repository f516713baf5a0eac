import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { EnvoyProcess } from '../../support/envoy-process.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { StaticProxy, type StaticProxyOptions, staticBootstrap } from '../../support/static-proxy.ts'

/** Where a call was to go, in the access log, when a filter or nobody answered it: as in Envoy. */

const envoy = peerOrSkip('envoy')
const HTTP_FILTERS = 'type.googleapis.com/envoy.extensions.filters.http'
const PATHS = ['/faulty', '/missing', '/direct', '/none']
const FAULT = {
  '@type': `${HTTP_FILTERS}.fault.v3.HTTPFault`,
  abort: { http_status: 500, percentage: { numerator: 100 } },
}

function options(log: string, port = 0): StaticProxyOptions {
  const typed_config = {
    '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
    path: log,
    log_format: { text_format_source: { inline_string: '%REQ(:PATH)% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%\n' } },
  }
  const faulty = { typed_per_filter_config: { fault: FAULT } }
  const routes = [
    { match: { path: '/faulty' }, route: { cluster: 'upstream' }, ...faulty },
    { match: { path: '/missing' }, route: { cluster: 'unknown' } },
    { match: { path: '/direct' }, direct_response: { status: 200 } },
  ]
  const route_config = {
    name: 'r',
    validate_clusters: false,
    virtual_hosts: [{ name: 'v', domains: ['*'], routes }],
  }
  const http_filters = [
    { name: 'fault', typed_config: { '@type': `${HTTP_FILTERS}.fault.v3.HTTPFault` } },
    { name: 'router', typed_config: { '@type': `${HTTP_FILTERS}.router.v3.Router` } },
  ]
  return { port, upstreams: [1], manager: { access_log: [{ name: 'log', typed_config }], route_config, http_filters } }
}

async function askAll(port: number): Promise<void> {
  for (const path of PATHS) await (await fetch(`http://127.0.0.1:${port}${path}`)).arrayBuffer()
}

test('a call that a filter answers was on its way to the cluster of its route', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-where-to-'))
  const [ours, envoys] = [join(dir, 'ours'), join(dir, 'envoys')]
  try {
    const proxy = await StaticProxy.start(options(ours))
    await askAll(proxy.port)
    await proxy.stop()
    expect(readFileSync(ours, 'latin1').split('\n')).toEqual([
      '/faulty FI upstream',
      '/missing NC -',
      '/direct - -',
      '/none NR -',
      '',
    ])
    if (envoy === undefined) return
    const port = await freePort()
    writeFileSync(join(dir, 'envoy.json'), staticBootstrap(options(envoys, port)))
    const running = new EnvoyProcess(envoy, join(dir, 'envoy.json'))
    try {
      await eventually(() => askAll(port), 30_000)
      await eventually(() => expect(readFileSync(envoys, 'latin1')).toBe(readFileSync(ours, 'latin1')), 15_000)
    } finally {
      await running.stop()
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}, 60_000)

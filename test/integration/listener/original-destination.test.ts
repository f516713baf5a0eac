import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { NetworkNamespace, REDIRECTED_UID } from '../../support/network-namespace.ts'
import { canFilterPackets } from '../../support/packet-filter.ts'
import { httpChain, tcpChain, typed } from '../../support/static-resources.ts'

const ORIGINAL_DST = { name: 'original_dst', typed_config: typed('filters.listener.original_dst.v3.OriginalDst') }
const at = (address: string, port_value: number) => ({ address: { socket_address: { address, port_value } } })
const range = (address_prefix: string, prefix_len: number) => ({ prefix_ranges: [{ address_prefix, prefix_len }] })

/** A listener that connections are redirected to, and one for those that it hands over. */
const capture = (name: string, address: string, port: number, fields: object) => ({
  name,
  ...at(address, port),
  use_original_dst: true,
  listener_filters: [ORIGINAL_DST],
  ...fields,
})
const unbound = (address: string, port: number, fields: object) => ({
  name: `${address}_${port}`,
  ...at(address, port),
  bind_to_port: false,
  ...fields,
})

const LISTENERS = [
  capture('virtualOutbound', '0.0.0.0', 15001, {
    filter_chains: [httpChain('not redirected', { filter_chain_match: { destination_port: 15001 } })],
    default_filter_chain: tcpChain('passthrough'),
  }),
  capture('virtualOutbound6', '::1', 15002, { filter_chains: [tcpChain('passthrough')] }),
  capture('virtualInbound', '0.0.0.0', 15006, {
    use_original_dst: false,
    filter_chains: [
      httpChain('inbound 8080', { filter_chain_match: { destination_port: 8080 } }),
      httpChain('inbound other'),
    ],
  }),
  unbound('10.1.2.3', 80, { filter_chains: [httpChain('its very own')] }),
  unbound('0.0.0.0', 80, {
    filter_chains: [httpChain('by prefix', { filter_chain_match: range('10.1.5.0', 24) }), httpChain('any address')],
  }),
  unbound('fd00:1::3', 80, { filter_chains: [httpChain('its very own, IPv6')] }),
]

const isAble = canFilterPackets()

describe('connections redirected by iptables', () => {
  const redirected = isAble ? test : test.skip
  const dir = mkdtempSync(join(tmpdir(), 'lateen-redirect-'))
  let net: NetworkNamespace
  let log = ''

  beforeAll(async () => {
    if (!isAble) return
    const redirect = (options: string, port: number) =>
      `-t nat -A OUTPUT -p tcp ${options} -j REDIRECT --to-ports ${port}`
    const owner = `-m owner --uid-owner ${REDIRECTED_UID}`
    net = await NetworkNamespace.create([
      'ip link set lo up',
      'ip route add local 10.1.0.0/16 dev lo',
      'ip -6 route add local fd00:1::/64 dev lo',
      `iptables ${redirect(`${owner} -d 10.1.0.0/17`, 15001)}`,
      `iptables ${redirect(`${owner} -d 10.1.128.0/17`, 15006)}`,
      `ip6tables ${redirect(`${owner} -d fd00:1::/64`, 15002)}`,
    ])
    const upstream = `require('http').createServer((q, s) => s.end('passed through to ' + q.socket.localAddress)).listen(9000, '::')`
    net.start(process.execPath, ['-e', upstream])
    const passthrough = { name: 'passthrough', type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED' }
    const file = join(dir, 'bootstrap.yaml')
    writeFileSync(
      file,
      JSON.stringify({
        admin: at('127.0.0.1', 15000),
        static_resources: { listeners: LISTENERS, clusters: [passthrough] },
      }),
    )
    const proxy = net.start(process.execPath, [builtCli(), 'proxy', '-c', file])
    proxy.stderr?.on('data', (chunk) => {
      log = (log + chunk).slice(-2000)
    })
    await eventually(
      async () => expect(await net.curl('http://127.0.0.1:15001/', 0)).toBe('not redirected'),
      20_000,
    ).catch((thrown) => {
      throw new Error(`${thrown}\n${log}`)
    })
    await eventually(async () => expect(await net.curl('http://10.1.9.9:9000/', 0)).toContain('passed through'))
  }, 60_000)

  afterAll(async () => {
    await net?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  redirected('go to the listener of their address, else to that of their port', async () => {
    expect(await net.curl('http://10.1.2.3/')).toBe('its very own')
    expect(await net.curl('http://10.1.2.4/')).toBe('any address')
  })

  redirected('are matched by where they were going', async () => {
    expect(await net.curl('http://10.1.5.7/')).toBe('by prefix')
  })

  redirected('stay where no listener stands for their address, and go on to it', async () => {
    expect(await net.curl('http://10.1.9.9:9000/')).toBe('passed through to ::ffff:10.1.9.9')
  })

  redirected('stay where handing over is not asked for', async () => {
    expect(await net.curl('http://10.1.200.1:8080/')).toBe('inbound 8080')
    expect(await net.curl('http://10.1.200.1/')).toBe('inbound other')
  })

  redirected('keep their destination over IPv6', async () => {
    expect(await net.curl('http://[fd00:1::3]/')).toBe('its very own, IPv6')
    expect(await net.curl('http://[fd00:1::9]:9000/')).toBe('passed through to fd00:1::9')
  })

  redirected('a connection that comes by itself does not go round for ever', async () => {
    const before = await accepted('::1_15002')
    expect(await net.curl('http://[::1]:15002/', 0)).toMatch(/reset|Empty reply|Couldn't connect/)
    expect(await accepted('::1_15002')).toBe(before + 1)
  })

  async function accepted(listener: string): Promise<number> {
    const stats = await net.curl('http://127.0.0.1:15000/stats/prometheus', 0)
    const line = stats
      .split('\n')
      .find((one) => one.includes('listener_downstream_cx_total{') && one.includes(listener))
    return Number(line?.split(' ').at(-1))
  }
})

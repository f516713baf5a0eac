import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import { afterAll, expect, test } from '@jest/globals'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { ManualClock } from '../../lib/clock.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { type Issued, TestCa } from '../../test/support/certificates.ts'
import { EMPTY_PLAN, type Plan } from '../plan/plan.ts'
import { listenerPlan, secretPlan, tcpChain, typed } from '../plan/testing.ts'
import { LOOK_EVERY_MS, MAX_WATCHED_FILES } from './file-watch.ts'
import { ResourceSet, type ResourceSetOptions } from './resource-set.ts'
import { LOCAL_SOURCE } from './secret-store.ts'

const ca = new TestCa('files')
afterAll(() => ca.remove())
const [a, b] = [ca.issue('a'), ca.issue('b')]
let folders = 0

/** A folder with `tls.crt` and `tls.key`. */
function folderOf(issued: Issued): string {
  const folder = join(ca.dir, `folder-${folders++}`)
  mkdirSync(folder)
  put(folder, 'tls.crt', issued.cert)
  put(folder, 'tls.key', issued.key)
  return folder
}

function put(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, 'new'), text)
  renameSync(join(folder, 'new'), join(folder, name))
}

const inFolder = (folder: string) => ({
  certificateChain: { filename: join(folder, 'tls.crt') },
  privateKey: { filename: join(folder, 'tls.key') },
})

function listener(commonTlsContext: object) {
  const typedConfig = typed('transport_sockets.tls.v3.DownstreamTlsContext', { commonTlsContext })
  return listenerPlan({ filterChains: [tcpChain('c', { transportSocket: { name: 'tls', typedConfig } })] })
}

/** One listener, and what it shows when it is asked: the certificates of the newest plan. */
function watching(commonTlsContext: object, options: Partial<ResourceSetOptions> = {}) {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const said: string[] = []
  const say = (message: string) => said.push(message)
  const log = { debug: say, info: say, warning: say, error: say }
  let plan: Plan = EMPTY_PLAN
  let plans = 0
  const set = new ResourceSet(
    {
      clock,
      staticClusters: new Map(),
      staticListeners: new Map([['l', listener(commonTlsContext)]]),
      publish: async (next) => {
        plan = next
        plans++
      },
      fileReports: { log, metrics },
      ...options,
    },
    EMPTY_PLAN,
  )
  plan = set.start()
  return {
    set,
    clock,
    said,
    /** After so many looks. */
    look: async (looks = 1) => {
      clock.advance(looks * LOOK_EVERY_MS)
      for (let i = 0; i < 3; i++) await new Promise(setImmediate)
    },
    shown: () => {
      const tls = plan.listeners.get('l')?.filterChains[0]?.tls
      tls?.of(plan.secrets)
      return [...plan.secrets.values()].map((secret) => {
        if (secret.kind === 'tls_certificate') return secret.certificate.chain?.toString()
        return secret.kind === 'validation_context' ? secret.validation.trustedCa?.toString() : undefined
      })
    },
    counts: () => ['succeeded', 'failed'].map((end) => metrics.counter(`sds.key_rotation_${end}`).value),
    plans: () => plans,
  }
}

test('files in the context itself are read again when they were replaced', async () => {
  const folder = folderOf(a)
  const { shown, look, counts, said, plans } = watching({ tlsCertificates: [inFolder(folder)] })
  expect(shown()).toEqual([a.cert])
  put(folder, 'tls.crt', b.cert)
  put(folder, 'tls.key', b.key)
  expect(shown()).toEqual([a.cert])
  await look()
  expect(shown()).toEqual([b.cert])
  await look(5)
  expect([counts(), plans()]).toEqual([[1, 0], 1])
  expect(said).toEqual(['files that changed were read again'])
})

test('what was written over is read again too, and so is the other end of a symbolic link', async () => {
  const [first, second] = [folderOf(a), folderOf(b)]
  // As Kubernetes mounts a Secret: what is replaced is a link in the middle of the path.
  const mount = folderOf(a)
  symlinkSync(first, join(mount, '..data'))
  for (const name of ['tls.crt', 'tls.key']) {
    rmSync(join(mount, name))
    symlinkSync(join('..data', name), join(mount, name))
  }
  const { shown, look } = watching({ tlsCertificates: [inFolder(mount)] })
  symlinkSync(second, join(mount, '..new'))
  renameSync(join(mount, '..new'), join(mount, '..data'))
  await look()
  expect(shown()).toEqual([b.cert])
  writeFileSync(join(second, 'tls.crt'), `${b.cert}\n${ca.cert}`)
  await look()
  expect(shown()).toEqual([`${b.cert}\n${ca.cert}`])
})

test('what does not fit leaves the last good one in force, and is said once', async () => {
  const folder = folderOf(a)
  const { shown, look, counts, said } = watching({ tlsCertificates: [inFolder(folder)] })
  put(folder, 'tls.crt', b.cert)
  await look(4)
  expect([shown(), counts()]).toEqual([[a.cert], [0, 1]])
  put(folder, 'tls.key', b.key.slice(0, 60))
  await look()
  rmSync(join(folder, 'tls.key'))
  await look()
  expect([shown(), counts()]).toEqual([[a.cert], [0, 3]])
  put(folder, 'tls.key', b.key)
  await look()
  expect([shown(), counts()]).toEqual([[b.cert], [1, 3]])
  expect(new Set(said.slice(0, 3))).toEqual(new Set(['files that changed are wrong; the last good ones stay in force']))
})

test('roots under names to match, and a Secret that names files', async () => {
  const other = new TestCa('other')
  const folder = folderOf(a)
  put(folder, 'roots.pem', ca.cert)
  const secret = fromJson(SecretSchema, { name: 'own', tlsCertificate: inFolder(folder) } as JsonValue)
  const sdsConfig = { apiConfigSource: { apiType: 'GRPC', grpcServices: [{ envoyGrpc: { clusterName: 'agent' } }] } }
  const { set, shown, look, counts } = watching(
    {
      tlsCertificateSdsSecretConfigs: [{ name: 'own', sdsConfig }],
      combinedValidationContext: {
        defaultValidationContext: { trustedCa: { filename: join(folder, 'roots.pem') } },
        validationContextSdsSecretConfig: { name: 'names' },
      },
    },
    {
      localNames: new Set(['own']),
      staticSecrets: new Map([['names', secretPlan({ name: 'names', validationContext: {} })]]),
    },
  )
  const bytes = toBinary(SecretSchema, secret)
  expect(set.acceptSecrets(LOCAL_SOURCE, [{ name: 'own', version: '1', typeUrl: TYPE_URL.secret, bytes }])).toBe('')
  await look()
  expect(shown()).toEqual([a.cert, ca.cert, undefined])
  put(folder, 'tls.crt', b.cert)
  put(folder, 'tls.key', b.key)
  put(folder, 'roots.pem', other.cert)
  other.remove()
  await look()
  expect([shown(), counts()]).toEqual([
    [b.cert, other.cert, undefined],
    [2, 0],
  ])
})

test('a Secret that comes anew is what counts, whatever was read meanwhile', async () => {
  const [folder, another] = [folderOf(a), folderOf(a)]
  const { set, shown, look } = watching(
    { tlsCertificateSdsSecretConfigs: [{ name: 'own' }] },
    { localNames: new Set(['own']) },
  )
  const send = (directory: string) => {
    const secret = fromJson(SecretSchema, { name: 'own', tlsCertificate: inFolder(directory) } as JsonValue)
    return set.acceptSecrets(LOCAL_SOURCE, [
      { name: 'own', version: directory, typeUrl: TYPE_URL.secret, bytes: toBinary(SecretSchema, secret) },
    ])
  }
  send(folder)
  await look()
  put(folder, 'tls.crt', b.cert)
  put(folder, 'tls.key', b.key)
  await look()
  expect(shown()).toEqual([b.cert])
  send(another)
  await look()
  expect(shown()).toEqual([a.cert])
})

test('nothing is looked at where there are no files, nor after the end', async () => {
  const inline = { certificateChain: { inlineString: a.cert }, privateKey: { inlineString: a.key } }
  const without = watching({ tlsCertificates: [inline] })
  expect(without.clock.pendingTimers).toBe(0)
  const { set, clock } = watching({ tlsCertificates: [inFolder(folderOf(a))] })
  expect(clock.pendingTimers).toBe(1)
  set.close()
  expect(clock.pendingTimers).toBe(0)
})

test('there is an end to how many files are looked at, and it is said', () => {
  const folder = folderOf(a)
  const names = Array.from({ length: MAX_WATCHED_FILES / 2 + 1 }, (_, i) => `own-${i}`)
  const keys = names.map((name) => {
    put(folder, name, a.key)
    return { certificateChain: { inlineString: a.cert }, privateKey: { filename: join(folder, name) } }
  })
  const certs = names.map((name) => {
    put(folder, `${name}.crt`, a.cert)
    return { certificateChain: { filename: join(folder, `${name}.crt`) }, privateKey: { inlineString: a.key } }
  })
  const { said } = watching({ tlsCertificates: [...keys, ...certs] })
  expect(said).toEqual(['too many files: changes are not seen'])
})

test('a Secret that came before its files is taken when they come', async () => {
  const folder = folderOf(a)
  rmSync(join(folder, 'tls.key'))
  const { set, shown, look, clock } = watching(
    { tlsCertificateSdsSecretConfigs: [{ name: 'own' }] },
    { localNames: new Set(['own']) },
  )
  const secret = fromJson(SecretSchema, { name: 'own', tlsCertificate: inFolder(folder) } as JsonValue)
  const incoming = { name: 'own', version: '1', typeUrl: TYPE_URL.secret, bytes: toBinary(SecretSchema, secret) }
  expect(set.acceptSecrets(LOCAL_SOURCE, [incoming])).toMatch(/^own: tls_certificate.private_key.filename: .*ENOENT/)
  await look(3)
  expect(shown()).toEqual([])
  put(folder, 'tls.key', b.key)
  await look()
  expect([shown(), set.secrets.cacheOf(LOCAL_SOURCE).rejected.get('own')?.reason]).toEqual([
    [],
    expect.stringContaining('mismatch'),
  ])
  put(folder, 'tls.key', a.key)
  await look()
  expect([shown(), set.secrets.cacheOf(LOCAL_SOURCE).rejected.size]).toEqual([[a.cert], 0])
  // What is in force is watched on, and nothing else.
  await look()
  expect(clock.pendingTimers).toBe(1)
})

test('a refused Secret that comes anew without files is not tried again', async () => {
  const { set, look, clock } = watching(
    { tlsCertificateSdsSecretConfigs: [{ name: 'own' }] },
    { localNames: new Set(['own']) },
  )
  const send = (tlsCertificate: object) => {
    const secret = fromJson(SecretSchema, { name: 'own', tlsCertificate } as JsonValue)
    const bytes = toBinary(SecretSchema, secret)
    return set.acceptSecrets(LOCAL_SOURCE, [{ name: 'own', version: '1', typeUrl: TYPE_URL.secret, bytes }])
  }
  expect(send(inFolder('/nowhere'))).toContain('ENOENT')
  expect(clock.pendingTimers).toBe(1)
  expect(send({ certificateChain: { inlineString: a.cert }, privateKey: { inlineString: a.key } })).toBe('')
  await look()
  expect(clock.pendingTimers).toBe(0)
})

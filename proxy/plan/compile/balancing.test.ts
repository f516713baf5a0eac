import { fromJson, type JsonObject } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ClusterSchema } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { compileBalancing } from './balancing.ts'
import { notHonoured } from './honoured.ts'

const parsed = (json: JsonObject) => fromJson(ClusterSchema, { name: 'c', ...json })
const of = (json: JsonObject) => compileBalancing(parsed(json))

const hash = (config: JsonObject) => ({ commonLbConfig: { consistentHashingLbConfig: config } })
const NONE = { usesHostname: false, balanceFactor: 0 }

test.each<[JsonObject, object]>([
  [{}, { kind: 'round_robin', slowStart: undefined }],
  [{ lbPolicy: 'RANDOM' }, { kind: 'random' }],
  [{ lbPolicy: 'CLUSTER_PROVIDED' }, { kind: 'cluster_provided' }],
  [{ lbPolicy: 'LEAST_REQUEST' }, { kind: 'least_request', choices: 2, activeRequestBias: 1, slowStart: undefined }],
  [
    {
      lbPolicy: 'LEAST_REQUEST',
      leastRequestLbConfig: {
        choiceCount: 5,
        activeRequestBias: { defaultValue: 0.5, runtimeKey: 'k' },
        slowStartConfig: { slowStartWindow: '60s' },
      },
    },
    {
      kind: 'least_request',
      choices: 5,
      activeRequestBias: 0.5,
      slowStart: { windowMs: 60_000, aggression: 1, minShare: 0.1 },
    },
  ],
  [
    {
      roundRobinLbConfig: {
        slowStartConfig: {
          slowStartWindow: '1.5s',
          aggression: { defaultValue: 2, runtimeKey: 'k' },
          minWeightPercent: { value: 0 },
        },
      },
    },
    { kind: 'round_robin', slowStart: { windowMs: 1500, aggression: 2, minShare: 0 } },
  ],
  [{ lbPolicy: 'RING_HASH' }, { kind: 'ring_hash', minSize: 1024, maxSize: 8_388_608, ...NONE }],
  [
    {
      lbPolicy: 'RING_HASH',
      ringHashLbConfig: { minimumRingSize: '7', maximumRingSize: '9' },
      ...hash({ useHostnameForHashing: true, hashBalanceFactor: 150 }),
    },
    { kind: 'ring_hash', minSize: 7, maxSize: 9, usesHostname: true, balanceFactor: 150 },
  ],
  [{ lbPolicy: 'MAGLEV' }, { kind: 'maglev', tableSize: 65537, ...NONE }],
  [
    { lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '251' } },
    { kind: 'maglev', tableSize: 251, ...NONE },
  ],
  [
    { lbPolicy: 'LEAST_REQUEST', metadata: { filterMetadata: { 'lateen.mesh': { peak_ewma_decay_ms: 5000 } } } },
    { kind: 'peak_ewma', decayMs: 5000 },
  ],
])('%j', (json, expected) => {
  expect(of(json)).toEqual(expected)
  expect(notHonoured(ClusterSchema, parsed(json))).toEqual([])
})

test.each<[JsonObject, string]>([
  [{ lbPolicy: 'LOAD_BALANCING_POLICY_CONFIG' }, 'lb_policy: LOAD_BALANCING_POLICY_CONFIG is not supported'],
  [
    { lbPolicy: 'RING_HASH', ringHashLbConfig: { hashFunction: 'MURMUR_HASH_2' } },
    'ring_hash_lb_config.hash_function: MURMUR_HASH_2 is not supported',
  ],
  [
    { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '9', maximumRingSize: '7' } },
    'ring_hash_lb_config.minimum_ring_size: is more than the maximum 7',
  ],
  [
    { lbPolicy: 'RING_HASH', ringHashLbConfig: { minimumRingSize: '8388609' } },
    'ring_hash_lb_config.minimum_ring_size: at most 8388608',
  ],
  [{ lbPolicy: 'MAGLEV', maglevLbConfig: { tableSize: '65536' } }, 'maglev_lb_config.table_size: 65536 is no prime'],
  [
    { lbPolicy: 'MAGLEV', ...hash({ hashBalanceFactor: 99 }) },
    'common_lb_config.consistent_hashing_lb_config.hash_balance_factor: must be at least 100',
  ],
  [
    { lbPolicy: 'LEAST_REQUEST', leastRequestLbConfig: { choiceCount: 1 } },
    'least_request_lb_config.choice_count: must be at least 2',
  ],
  [
    { lbPolicy: 'LEAST_REQUEST', metadata: { filterMetadata: { 'lateen.mesh': { peak_ewma_decay_ms: 'x' } } } },
    'metadata.filter_metadata["lateen.mesh"].peak_ewma_decay_ms: must be a number of milliseconds above 0',
  ],
])('%j is refused', (json, message) => {
  expect(() => of(json)).toThrow(message)
})

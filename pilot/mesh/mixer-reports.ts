import type { Finding } from '../../config/finding.ts'
import { isHeaderName } from '../../config/names.ts'
import type { Memo } from '../memo.ts'
import type { Labels } from '../registry/labels.ts'
import type { ObjectsByKind } from '../registry/objects.ts'
import type { Service } from '../registry/service.ts'
import type { ServiceInstance } from './instances.ts'
import {
  hostAndPort,
  keysOf,
  labelsOf,
  references,
  type ToldWorkload,
  toldWorkload,
  unknownServer,
} from './mixer-policy.ts'
import type { MeshOptions } from './options.ts'

/** What proxies must know of the mixer that they tell of calls, and of its configuration. */
export interface MixerReports {
  readonly host: string
  readonly port: number
  /** Of calls, and not of connections alone. */
  readonly ofCalls: boolean
  /** The labels of workloads that its configuration speaks of; undefined where all may matter. */
  readonly labels: readonly string[] | undefined
  /** The fields that it speaks of, in lower case. */
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
}

/** What a workload's proxy tells of it. */
export interface WorkloadReports extends ToldWorkload {
  readonly mixer: MixerReports
}

/** By these a mixer knows gRPC from other HTTP, and how it ended. */
const REQUEST_HEADERS = ['content-type']
const RESPONSE_HEADERS = ['content-type']

/** undefined where no mixer is to be told. */
export function mixerReports(byKind: ObjectsByKind, options: MeshOptions, memo: Memo): MixerReports | undefined {
  const { mixerReportServer, disableMixerHttpReports } = options
  if (mixerReportServer === '') return undefined
  const rules = byKind.of('config.istio.io/rule')
  const lists = [rules, ...INSTANCES.map((kind) => byKind.of(kind))]
  return memo.get('mixer reports', [options, ...lists], () => {
    const all = references(lists.flat())
    const fields = (map: string, always: readonly string[]) => {
      const named = keysOf(map, all).map((name) => name.toLowerCase())
      // What no call can have would make Envoy refuse the whole listener.
      return [...new Set([...always, ...named.filter((name) => isHeaderName(name))])].sort()
    }
    return {
      ...hostAndPort(mixerReportServer),
      ofCalls: !disableMixerHttpReports,
      labels: labelsOf(all),
      requestHeaders: fields('request.headers', REQUEST_HEADERS),
      responseHeaders: fields('response.headers', RESPONSE_HEADERS),
    }
  })
}

/** Of templates that are told of calls. */
const INSTANCES = ['config.istio.io/instance', 'config.istio.io/metric', 'config.istio.io/logentry'] as const

/** What of a workload the mixer's configuration may speak of. */
export function workloadReports(
  mixer: MixerReports | undefined,
  labels: Labels,
  served: readonly ServiceInstance[],
): WorkloadReports | undefined {
  return mixer && { mixer, ...toldWorkload(mixer.labels, labels, served) }
}

/** A mixer that no service is: nobody can tell it anything. */
export function unknownReports(mixer: MixerReports | undefined, services: readonly Service[]): Finding[] {
  return mixer === undefined ? [] : unknownServer('mixerReportServer', mixer.host, 'no call is reported', services)
}

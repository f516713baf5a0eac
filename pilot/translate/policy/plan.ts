import { isQuotaBound, type WorkloadPolicy } from '../../mesh/mixer-policy.ts'

/** What a proxy asks the mixer about calls to one port. Plain data: the same content makes the same filters. */
export interface InboundPolicy {
  readonly host: string
  readonly port: number
  readonly failOpen: boolean
  /** Attributes of the workload, by their names. */
  readonly told: Readonly<Record<string, string>>
  /** What is told of a call to those who keep quotas; undefined where calls are charged to none. */
  readonly quotaReads: readonly string[] | undefined
}

/** undefined where the mixer is not asked: it does not ask itself. */
export function inboundPolicy(
  policy: WorkloadPolicy | undefined,
  namespace: string,
  port: number,
  host?: string,
): InboundPolicy | undefined {
  if (policy === undefined) return undefined
  const { mixer, labels, served } = policy
  const called = host ?? served.find((one) => one.targetPort === port || one.port === port)?.host ?? served[0]?.host
  if (called === mixer.host) return undefined
  const told: Record<string, string> = { 'destination.namespace': namespace }
  if (called !== undefined) told['destination.service.host'] = called
  for (const [key, value] of Object.entries(labels)) told[`destination.labels[${key}]`] = value
  const isLimited = called !== undefined && isQuotaBound(mixer, called, labels)
  return {
    host: mixer.host,
    port: mixer.port,
    failOpen: mixer.failOpen,
    told,
    quotaReads: isLimited ? mixer.quotaReads : undefined,
  }
}

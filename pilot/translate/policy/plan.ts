import { isQuotaBound, type ToldWorkload, type WorkloadPolicy } from '../../mesh/mixer-policy.ts'

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
  const { mixer, labels } = policy
  const called = calledHost(policy, port, host)
  if (called === mixer.host) return undefined
  const isLimited = called !== undefined && isQuotaBound(mixer, called, labels)
  return {
    host: mixer.host,
    port: mixer.port,
    failOpen: mixer.failOpen,
    told: toldAttributes(labels, namespace, called),
    quotaReads: isLimited ? mixer.quotaReads : undefined,
  }
}

/** The host by which this port of a workload is called. */
export function calledHost({ served }: ToldWorkload, port: number, host?: string): string | undefined {
  return host ?? served.find((one) => one.targetPort === port || one.port === port)?.host ?? served[0]?.host
}

/** Attributes of a workload, by their names. */
export function toldAttributes(
  labels: ToldWorkload['labels'],
  namespace: string,
  called: string | undefined,
): Record<string, string> {
  const told: Record<string, string> = { 'destination.namespace': namespace }
  if (called !== undefined) told['destination.service.host'] = called
  for (const [key, value] of Object.entries(labels)) told[`destination.labels[${key}]`] = value
  return told
}

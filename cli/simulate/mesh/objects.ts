import type { ClientModel, ConfigText, ServiceModel } from '../scenario/model.ts'

/** What findings about the objects that are made here call their file. */
const FILE = '<services of the scenario>'

/** One replica of a service, or one proxy of a client, as Kubernetes shows it. */
export interface PodIdentity {
  readonly name: string
  readonly namespace: string
  readonly address: string
  readonly locality: string
  readonly labels: Readonly<Record<string, string>>
}

/** The `index`-th address of the simulation: none is used twice. */
export function addressOf(index: number): string {
  return `10.${(index >> 16) & 127}.${(index >> 8) & 255}.${index & 255}`
}

export function serviceAddress(index: number): string {
  return `10.255.${index >> 8}.${index & 255}`
}

export function podOf(
  app: string,
  namespace: string,
  version: string,
  locality: string,
  number: number,
  address: string,
): PodIdentity {
  const [region, zone] = locality.split('/')
  return {
    name: `${app}${version === '' ? '' : `-${version}`}-${number}`,
    namespace,
    address,
    locality,
    labels: {
      app,
      ...(version !== '' && { version }),
      ...(region !== undefined && region !== '' && { 'topology.kubernetes.io/region': region }),
      ...(zone !== undefined && { 'topology.kubernetes.io/zone': zone }),
    },
  }
}

export function serviceText({ name, namespace, port, protocol }: ServiceModel, address: string): ConfigText {
  return textOf({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { clusterIP: address, selector: { app: name }, ports: [{ name: protocol, port }] },
  })
}

export function podText({ name, namespace, labels, address }: PodIdentity): ConfigText {
  return textOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, status: { podIP: address } })
}

export function podKey({ name, namespace }: PodIdentity): string {
  return `Pod/${namespace}/${name}`
}

/** All in one file. */
export function joined(texts: readonly ConfigText[]): ConfigText {
  return { file: FILE, text: texts.map(({ text }) => text).join('') }
}

export function clientPods({ name, namespace, locality, proxies }: ClientModel, firstIndex: number): PodIdentity[] {
  return Array.from({ length: proxies }, (_, i) => podOf(name, namespace, '', locality, i, addressOf(firstIndex + i)))
}

function textOf(object: object): ConfigText {
  return { file: FILE, text: `---\n${JSON.stringify(object)}\n` }
}

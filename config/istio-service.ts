import type { IstioService } from '../crds/kinds/mixer.ts'

/** The host that a QuotaSpecBinding means, of an object of this namespace; undefined where it means any. */
export function hostOfIstioService(
  { name, namespace, domain, service }: IstioService,
  ownNamespace: string,
  clusterDomain: string,
): string | undefined {
  if (service) return service === ANY ? undefined : service
  if (!name || name === ANY) return undefined
  return `${name}.${namespace || ownNamespace}.${domain || `svc.${clusterDomain}`}`
}

const ANY = '*'

import type { Labels } from '../registry/labels.ts'

/** Where something runs; what is not known is ''. */
export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subzone: string
}

/** Labels that stand for a place (Istio's AugmentLabels). */
const REGION_LABEL = 'topology.kubernetes.io/region'
const ZONE_LABEL = 'topology.kubernetes.io/zone'
const SUBZONE_LABEL = 'topology.istio.io/subzone'
const CLUSTER_LABEL = 'topology.istio.io/cluster'

/** Reads `region/zone/subzone`, of which the last may be missing. */
export function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.split('/')
  return { region, zone, subzone }
}

/** Whether a place meets a pattern: `*` is any, and so is what the pattern leaves out (Istio's LocalityMatch). */
export function localityMeets(place: Locality, pattern: string): boolean {
  const { region, zone, subzone } = parseLocality(pattern)
  const meets = (own: string, wanted: string) => wanted === '*' || wanted === '' || own === wanted
  return (region === '*' || region === place.region) && meets(place.zone, zone) && meets(place.subzone, subzone)
}

/** How far two places are from each other: 0 in the same subzone, 1 zone, 2 region, 3 in none (Istio's LbPriority). */
export function distance(a: Locality, b: Locality): 0 | 1 | 2 | 3 {
  if (a.region !== b.region) return 3
  if (a.zone !== b.zone) return 2
  return a.subzone === b.subzone ? 0 : 1
}

/** The value of a label, where those that stand for a place are known without being written. */
export function placeLabel(key: string, labels: Labels, locality: string, clusterId: string): string {
  const { region, zone, subzone } = parseLocality(locality)
  const known: Labels = {
    [REGION_LABEL]: region,
    [ZONE_LABEL]: zone,
    [SUBZONE_LABEL]: subzone,
    [CLUSTER_LABEL]: clusterId,
  }
  return known[key] || labels[key] || ''
}

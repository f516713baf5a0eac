import { findKind, KINDS, type KindInfo, splitApiVersion } from '../crds/kinds.ts'
import { didYouMean } from './validate/suggest.ts'

export type KindVerdict =
  | { take: true; info: KindInfo }
  /** Not ours to read. `reason` is given when it would mean something to a mesh. */
  | { take: false; reason?: string }

/** Groups whose kinds change what a mesh does. Kinds of any other group are none of our business. */
const MESH_GROUPS = /(^|\.)istio\.io$|^gateway\.networking\.k8s\.io$|^lateen\.mesh$/

/** Whether an object of that kind is read, passed over in silence, or named as not supported yet. */
export function judgeKind(apiVersion: string, kind: string): KindVerdict {
  const { group, version } = splitApiVersion(apiVersion)
  const info = findKind(group, kind)
  if (info?.versions.includes(version)) return { take: true, info }
  if (info?.ours) {
    return { take: false, reason: `version ${version} of ${kind} is not known; write ${group}/${info.versions[0]}` }
  }
  if (!MESH_GROUPS.test(group)) return { take: false }
  const names = KINDS.filter((known) => known.group === group).map((known) => known.kind)
  return {
    take: false,
    reason: `${kind} of ${apiVersion} is not supported yet and has no effect${didYouMean(kind, names)}`,
  }
}

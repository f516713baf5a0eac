import { formatNodeId, type NodeId } from '../../api/node.ts'
import { MemorySource } from '../../config/sources/memory.ts'
import { ManualClock } from '../../lib/clock.ts'
import { Memo } from '../memo.ts'
import { buildGeneration, type Generation } from '../mesh/generation.ts'
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from '../mesh/options.ts'
import { Publisher } from '../publisher.ts'
import type { NodeIdentity } from '../xds/view.ts'

/** Helpers for the tests of this room. */

/** A generation of the given YAML. Throws when something in it is refused. */
export function generationOf(yaml: string, mesh: Partial<MeshOptions> = {}): Generation {
  const { objects, findings } = new MemorySource({ 'test.yaml': yaml }).current()
  const errors = findings.filter((finding) => finding.severity === 'error')
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return buildGeneration(objects, 1, { ...DEFAULT_MESH_OPTIONS, ...mesh }, new Memo())
}

/** A publisher over files that the test changes, and the clock that it waits by. */
export function publisherOf(files: Record<string, string>) {
  const source = new MemorySource(files)
  const clock = new ManualClock()
  return { source, clock, publisher: new Publisher({ source, clock }) }
}

export function node(id: Partial<NodeId> = {}, metadata: Record<string, unknown> = {}): NodeIdentity {
  const whole: NodeId = {
    type: 'sidecar',
    ip: '10.1.0.9',
    name: 'client',
    namespace: 'default',
    domain: 'cluster.local',
  }
  return { id: formatNodeId({ ...whole, ...id }), cluster: '', metadata }
}

/** One object of Istio's networking group. */
export function istio(kind: string, name: string, spec: object, namespace = 'default'): string {
  const apiVersion = 'networking.istio.io/v1'
  return `${JSON.stringify({ apiVersion, kind, metadata: { name, namespace }, spec })}\n---\n`
}

/** One object of Kubernetes. */
export function kubernetes(
  kind: string,
  name: string,
  body: object,
  { namespace = 'default', labels = {}, apiVersion = 'v1' } = {},
): string {
  return `${JSON.stringify({ apiVersion, kind, metadata: { name, namespace, labels }, ...body })}\n---\n`
}

export function serviceYaml(
  name: string,
  ports: object[] = [{ name: 'http', port: 80 }],
  namespace = 'default',
): string {
  return kubernetes('Service', name, { spec: { selector: { app: name }, ports } }, { namespace })
}

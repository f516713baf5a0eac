import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { crdFiles, crdOf } from './crd.ts'
import { KINDS } from './kinds.ts'
import { unknownKeywords } from './structural.ts'

const here = dirname(fileURLToPath(import.meta.url))
const ours = KINDS.filter((info) => info.ours)

test('the committed CRDs are what the schemas say', () => {
  const committed = readdirSync(here).filter((name) => name.endsWith('.yaml'))
  const files = crdFiles()
  expect(committed.sort()).toEqual([...files.keys()].sort())
  for (const [name, text] of files) expect(readFileSync(join(here, name), 'utf8')).toBe(text)
})

test('the schemas of our kinds use only what a structural schema can say', () => {
  for (const info of ours) expect([info.kind, unknownKeywords(info.schema)]).toEqual([info.kind, []])
})

interface Node {
  type?: string
  properties?: Record<string, Node>
  additionalProperties?: Node
  items?: Node
}

/** The rules of structural schemas that the API server holds us to: kubernetes.io/docs, "Specifying a structural schema". */
function structuralFaults(node: Node, path: string): string[] {
  const faults: string[] = []
  if (node.type === undefined) faults.push(`${path}: no type`)
  if (node.properties !== undefined && node.additionalProperties !== undefined) faults.push(`${path}: both kinds`)
  if (node.type === 'array' && node.items === undefined) faults.push(`${path}: no items`)
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    faults.push(...structuralFaults(child, `${path}.${name}`))
  }
  if (node.items !== undefined) faults.push(...structuralFaults(node.items, `${path}[]`))
  if (node.additionalProperties !== undefined) faults.push(...structuralFaults(node.additionalProperties, `${path}{}`))
  return faults
}

/** Istio has never made more of it, and we have not yet. */
const ONE_VERSION: Readonly<Record<string, string[]>> = {
  EnvoyFilter: ['v1alpha3'],
  RateLimit: ['v1alpha1'],
  Telemetry: ['v1', 'v1alpha1'],
}

test('every CRD is structural, serves all versions and stores exactly one', () => {
  for (const info of ours) {
    const crd = crdOf(info) as {
      spec: { versions: { name: string; served: boolean; storage: boolean; schema: { openAPIV3Schema: Node } }[] }
    }
    const alpha = info.group === 'networking.istio.io' ? ['v1alpha3'] : []
    const alone = info.group === 'config.istio.io' ? ['v1alpha2'] : ONE_VERSION[info.kind]
    const versions = alone ?? ['v1', 'v1beta1', ...alpha]
    expect(crd.spec.versions.map((v) => v.name)).toEqual(versions)
    expect(crd.spec.versions.filter((v) => v.storage).map((v) => v.name)).toEqual([versions[0]])
    for (const version of crd.spec.versions) {
      expect(structuralFaults(version.schema.openAPIV3Schema, info.kind)).toEqual([])
    }
  }
})

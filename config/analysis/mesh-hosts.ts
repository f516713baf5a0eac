import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import { MESH_GATEWAY, resolveHost } from '../hosts.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { append } from './context.ts'

/** For sidecars a host has one VirtualService: rules are not merged, the oldest wins. */
export const meshHosts: Analyzer = {
  name: 'mesh-hosts',
  codes: ['IST0109'],
  analyze(context) {
    const owners = new Map<string, { virtualService: ConfigObject<VirtualServiceBody>; index: number }[]>()
    for (const virtualService of context.all('VirtualService')) {
      const { spec } = virtualService.body
      if (spec.gateways !== undefined && spec.gateways.length > 0 && !spec.gateways.includes(MESH_GATEWAY)) continue
      spec.hosts?.forEach((host, index) => {
        for (const scope of scopes(spec.exportTo, virtualService.metadata.namespace)) {
          const key = `${scope}/${resolveHost(host, virtualService.metadata.namespace, context.domain)}`
          append(owners, key, { virtualService, index })
        }
      })
    }
    const reported = new Set<string>()
    for (const list of owners.values()) {
      if (list.length < 2) continue
      const names = list.map(({ virtualService: { metadata } }) => `${metadata.namespace}/${metadata.name}`)
      for (const { virtualService, index } of list) {
        const host = virtualService.body.spec.hosts?.[index] ?? ''
        const message = `${names.join(', ')} all route "${host}" for the sidecars; only the oldest counts`
        const once = `${virtualService.metadata.namespace}/${virtualService.metadata.name} ${message}`
        if (reported.has(once)) continue
        reported.add(once)
        context.report('IST0109', virtualService, ['spec', 'hosts', index], message)
      }
    }
  },
}

/** Namespaces for which a rule counts; `*` for all. */
function scopes(exportTo: readonly string[] | undefined, namespace: string): string[] {
  if (exportTo === undefined || exportTo.length === 0) return ['*']
  return exportTo.map((to) => (to === '.' ? namespace : to))
}

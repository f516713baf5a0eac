import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { RBACSchema } from '../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import type { AuthorizationRule } from '../../crds/kinds/authorization-policy.ts'
import { DEFAULT_MESH_OPTIONS } from '../../pilot/mesh/options.ts'
import { rbacOf } from '../../pilot/translate/security/authorization/rules.ts'
import { compileRbac, type RbacConfig } from '../../proxy/filters/http/rbac/config.ts'

/** So many rules of one kind; call `i` meets rule `i` and no other. */
export interface RuleKind {
  readonly name: string
  rule(i: number): AuthorizationRule
}

export const KINDS: readonly RuleKind[] = [
  {
    name: 'identity and path',
    rule: (i) => ({
      from: [{ source: { principals: [`cluster.local/ns/ns-${i}/sa/app-${i}`] } }],
      to: [{ operation: { methods: ['GET'], paths: [`/api/service-${i}/*`] } }],
    }),
  },
  {
    name: 'namespace and host',
    rule: (i) => ({
      from: [{ source: { namespaces: [`ns-${i}`] } }],
      to: [{ operation: { methods: ['GET', 'POST'], hosts: [`service-${i}.shop`, `service-${i}.shop:*`] } }],
    }),
  },
  {
    name: 'paths of one caller',
    rule: (i) => ({
      from: [{ source: { notNamespaces: ['test'] } }],
      to: [{ operation: { methods: ['GET'], paths: [`/api/service-${i}/items`, `/api/service-${i}/{*}/detail`] } }],
    }),
  },
  {
    name: 'header',
    rule: (i) => ({ when: [{ key: 'request.headers[x-user]', values: [`user-${i}`] }] }),
  },
]

/** What our proxy has of an ALLOW policy of so many rules, made by our pilot. */
export function compiled(kind: RuleKind, count: number): RbacConfig {
  const rules = Array.from({ length: count }, (_, i) => kind.rule(i))
  const origin = { kind: 'AuthorizationPolicy', namespace: 'a', name: 'b', file: '', line: 0 }
  const plan = { namespace: 'a', name: 'b', spec: { rules }, isDryRun: false, origin, ruleOrigins: [] }
  const rbac = rbacOf([plan], 'ALLOW', { isTcp: false, mesh: DEFAULT_MESH_OPTIONS })
  return compileRbac(anyPack(RBACSchema, create(RBACSchema, { rules: rbac })), '')
}

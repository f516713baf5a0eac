import { type Static, Type } from '@sinclair/typebox'
import { message, oneOf, strings, unsupported } from '../schema.ts'
import { MatchLabelsSelector } from './common.ts'
import { body } from './object.ts'

/** Each list is of alternatives; what is in different lists must all hold. */
export const Source = message(
  {
    principals: Type.Optional(strings('Identities without spiffe://, as in cluster.local/ns/default/sa/web.')),
    notPrincipals: Type.Optional(strings()),
    requestPrincipals: Type.Optional(strings('Issuer and subject of a token, as in issuer.example/subject.')),
    notRequestPrincipals: Type.Optional(strings()),
    namespaces: Type.Optional(strings()),
    notNamespaces: Type.Optional(strings()),
    serviceAccounts: Type.Optional(strings("Names, or namespace/name; of the policy's namespace by default.")),
    notServiceAccounts: Type.Optional(strings()),
    trustDomains: Type.Optional(strings()),
    notTrustDomains: Type.Optional(strings()),
    ipBlocks: Type.Optional(strings('Of the peer of the connection.')),
    notIpBlocks: Type.Optional(strings()),
    remoteIpBlocks: Type.Optional(
      strings('Of the client, by X-Forwarded-For or PROXY protocol as far as these are trusted.'),
    ),
    notRemoteIpBlocks: Type.Optional(strings()),
  },
  'Who calls.',
)
export type Source = Static<typeof Source>

export const Operation = message(
  {
    hosts: Type.Optional(strings('As the Host header says it, with its port. Case does not count.')),
    notHosts: Type.Optional(strings()),
    ports: Type.Optional(strings('Ports of the workload.')),
    notPorts: Type.Optional(strings()),
    methods: Type.Optional(strings()),
    notMethods: Type.Optional(strings()),
    paths: Type.Optional(strings('{*} stands for one segment, {**} for all that follow.')),
    notPaths: Type.Optional(strings()),
  },
  'What is asked for.',
)
export type Operation = Static<typeof Operation>

export const Condition = message({
  key: Type.String({ description: 'An attribute, such as request.headers[x-user] or source.ip.' }),
  values: Type.Optional(strings()),
  notValues: Type.Optional(strings()),
})
export type Condition = Static<typeof Condition>

export const AuthorizationRule = message(
  {
    from: Type.Optional(Type.Array(message({ source: Type.Optional(Source) }))),
    to: Type.Optional(Type.Array(message({ operation: Type.Optional(Operation) }))),
    when: Type.Optional(Type.Array(Condition)),
  },
  'One of `from`, one of `to`, and all of `when`. A rule without any matches everything.',
)
export type AuthorizationRule = Static<typeof AuthorizationRule>

const PolicyTargetReference = message({
  group: Type.Optional(Type.String()),
  kind: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
  namespace: Type.Optional(Type.String()),
})

const NO_TARGETS = 'gateways of the Gateway API and waypoints are not supported, so that the policy applies to nothing'

export const AuthorizationPolicySpec = message(
  {
    selector: Type.Optional(MatchLabelsSelector),
    targetRef: Type.Optional(unsupported(PolicyTargetReference, NO_TARGETS)),
    targetRefs: Type.Optional(unsupported(Type.Array(PolicyTargetReference), NO_TARGETS)),
    rules: Type.Optional(
      Type.Array(AuthorizationRule, { description: 'Without rules an ALLOW policy allows nothing.' }),
    ),
    action: Type.Optional(oneOf(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM'])),
    provider: Type.Optional(
      message({ name: Type.Optional(Type.String()) }, "An extension provider of the mesh's configuration, for CUSTOM."),
    ),
  },
  'Who may call a workload, and for what.',
)
export type AuthorizationPolicySpec = Static<typeof AuthorizationPolicySpec>

export const AuthorizationPolicyBody = body(AuthorizationPolicySpec)
export type AuthorizationPolicyBody = Static<typeof AuthorizationPolicyBody>

/** Istio's annotation that makes an ALLOW or DENY policy one that is only judged and told of. */
export const DRY_RUN_ANNOTATION = 'istio.io/dry-run'

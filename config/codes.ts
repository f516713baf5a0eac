import type { Severity } from './finding.ts'

export interface CodeInfo {
  name: string
  severity: Severity
  meaning: string
}

/**
 * Every code that a finding may carry. IST codes mean what they mean in Istio; LTN codes are ours. A code is never
 * used for another meaning. docs/reference/findings.md is tested against this table both ways.
 */
export const CODES = {
  IST0002: { name: 'Deprecated', severity: 'warning', meaning: 'A field in use is deprecated.' },
  IST0101: {
    name: 'ReferencedResourceNotFound',
    severity: 'error',
    meaning:
      'A host, gateway, subset, delegate, Secret, handler, instance or QuotaSpec that is referred to does not exist.',
  },
  IST0106: { name: 'SchemaValidationError', severity: 'error', meaning: 'The object is not valid and is refused.' },
  IST0109: {
    name: 'ConflictingMeshGatewayVirtualServiceHosts',
    severity: 'error',
    meaning: 'Two VirtualServices route the same host for the sidecars; only the oldest counts.',
  },
  IST0110: {
    name: 'ConflictingSidecarWorkloadSelectors',
    severity: 'error',
    meaning: 'Two Sidecars of a namespace select the same workload.',
  },
  IST0111: {
    name: 'MultipleSidecarsWithoutWorkloadSelectors',
    severity: 'error',
    meaning: 'A namespace has more than one Sidecar without a workload selector.',
  },
  IST0112: {
    name: 'VirtualServiceDestinationPortSelectorRequired',
    severity: 'error',
    meaning: 'A destination names no port, and its service has several.',
  },
  IST0116: {
    name: 'DeploymentAssociatedToMultipleServices',
    severity: 'warning',
    meaning: 'Services with different protocols share a port of one deployment.',
  },
  IST0118: {
    name: 'PortNameIsNotUnderNamingConvention',
    severity: 'info',
    meaning: 'The name of a service port does not begin with a protocol, so the protocol is sniffed.',
  },
  IST0127: {
    name: 'NoMatchingWorkloadsFound',
    severity: 'warning',
    meaning:
      'The selector of a Gateway, Sidecar, AuthorizationPolicy, RequestAuthentication, Telemetry, EnvoyFilter or RateLimit matches no workload.',
  },
  IST0130: {
    name: 'VirtualServiceUnreachableRule',
    severity: 'warning',
    meaning: 'A route can never be taken, because earlier ones take all its calls.',
  },
  IST0131: {
    name: 'VirtualServiceIneffectiveMatch',
    severity: 'info',
    meaning: 'One match of a route can never be met, because earlier ones take its calls.',
  },
  IST0132: {
    name: 'VirtualServiceHostNotFoundInGateway',
    severity: 'warning',
    meaning: 'A host of a VirtualService is not among the hosts of its gateway.',
  },
  IST0133: {
    name: 'SchemaWarning',
    severity: 'warning',
    meaning: 'The object is valid, and probably not what was meant.',
  },
  IST0134: {
    name: 'ServiceEntryAddressesRequired',
    severity: 'warning',
    meaning: 'A TCP port of a ServiceEntry without addresses takes the calls of every host to that port.',
  },
  IST0137: {
    name: 'DeploymentConflictingPorts',
    severity: 'warning',
    meaning: 'Services reach one port of a deployment by different ports.',
  },
  IST0145: {
    name: 'ConflictingGateways',
    severity: 'error',
    meaning: 'Two Gateways open the same port for the same hosts on the same workloads.',
  },
  IST0149: {
    name: 'JwtClaimBasedRoutingWithoutRequestAuthN',
    severity: 'error',
    meaning: 'A route asks for the claims of a token where no RequestAuthentication checks tokens.',
  },
  IST0157: {
    name: 'InvalidTelemetryProvider',
    severity: 'warning',
    meaning: 'A Telemetry gives an empty list of providers.',
  },
  IST0159: {
    name: 'ConflictingTelemetryWorkloadSelectors',
    severity: 'error',
    meaning: 'Two Telemetries of a namespace select the same workload; only the oldest counts.',
  },
  IST0160: {
    name: 'MultipleTelemetriesWithoutWorkloadSelectors',
    severity: 'error',
    meaning: 'A namespace has more than one Telemetry without a selector; only the oldest counts.',
  },
  IST0161: {
    name: 'InvalidGatewayCredential',
    severity: 'error',
    meaning:
      'A Secret that a Gateway or DestinationRule names holds no usable certificate, key or roots, or one has expired.',
  },
  IST0173: {
    name: 'DestinationRuleSubsetNotSelectPods',
    severity: 'warning',
    meaning: 'No workload of the service carries the labels of a subset.',
  },
  IST0174: {
    name: 'UnknownDestinationRuleHost',
    severity: 'warning',
    meaning: 'The host of a DestinationRule is no known service.',
  },
  IST0177: {
    name: 'ConflictingServiceEntryProtocol',
    severity: 'warning',
    meaning: 'ServiceEntries give one port of a host different protocols.',
  },
  LTN0001: {
    name: 'SyntaxError',
    severity: 'error',
    meaning: 'A document is not YAML; the other documents of its file are read.',
  },
  LTN0002: {
    name: 'LimitExceeded',
    severity: 'error',
    meaning: 'A file or document is too large, too deep, or grows too much by its aliases.',
  },
  LTN0101: { name: 'UnsupportedField', severity: 'warning', meaning: 'A field in use has no effect yet.' },
  LTN0102: {
    name: 'UnsupportedKind',
    severity: 'warning',
    meaning: 'An object is of a kind or version not taken yet.',
  },
  LTN0103: {
    name: 'DuplicateObject',
    severity: 'warning',
    meaning: 'An object is defined more than once; the last by path and place wins.',
  },
  LTN0104: {
    name: 'NotAnObject',
    severity: 'warning',
    meaning: 'A document has no apiVersion and kind, and is passed over.',
  },
  LTN0105: {
    name: 'UnreadablePath',
    severity: 'error',
    meaning: 'A path cannot be read; what was last known of it stays.',
  },
  LTN0106: {
    name: 'ClosedUntilValid',
    severity: 'warning',
    meaning: 'A policy is refused and was never valid; what it selects is closed until it is.',
  },
  LTN0201: {
    name: 'RuleNeverMatches',
    severity: 'warning',
    meaning: 'Nothing can ever meet a rule of an AuthorizationPolicy, or a part of it.',
  },
  LTN0202: {
    name: 'RuleShadowed',
    severity: 'warning',
    meaning: 'A rule of an AuthorizationPolicy changes nothing, because another already decides all its calls.',
  },
  LTN0110: {
    name: 'CredentialForGatewaysOnly',
    severity: 'warning',
    meaning: 'A DestinationRule names a Secret that only gateways could take, and there is no Gateway.',
  },
  LTN0301: {
    name: 'EnvoyFilterNotApplied',
    severity: 'warning',
    meaning: 'A patch of an EnvoyFilter is none of those that are made, and changes nothing.',
  },
  LTN0401: {
    name: 'InvalidExpression',
    severity: 'error',
    meaning: 'An expression of a rule or instance cannot be read, or its types do not fit; the object is refused.',
  },
  LTN0402: {
    name: 'UnknownAdapter',
    severity: 'error',
    meaning: 'A handler names an adapter, or an instance a template, that the mixer does not have.',
  },
  LTN0403: {
    name: 'AdapterTakesNoSuchInstance',
    severity: 'error',
    meaning: 'A rule gives a handler an instance of a template that its adapter does not take.',
  },
  LTN0404: {
    name: 'ConflictingAttribute',
    severity: 'error',
    meaning: 'An attributemanifest gives an attribute another type than it has; the first one counts.',
  },
} as const satisfies Record<string, CodeInfo>

export type Code = keyof typeof CODES

import type { Analyzer } from './analyzer.ts'
import { rulesThatNeverMatch } from './authorization/never.ts'
import { shadowedRules } from './authorization/shadowed.ts'
import { claimRoutes } from './claim-routes.ts'
import { conflictingGateways } from './conflicting-gateways.ts'
import { credentials } from './credentials.ts'
import { deploymentPorts } from './deployment-ports.ts'
import { destinationPorts } from './destination-ports.ts'
import { destinationRuleHosts } from './destination-rule-hosts.ts'
import { gatewayHosts } from './gateway-hosts.ts'
import { meshHosts } from './mesh-hosts.ts'
import { portNames } from './port-names.ts'
import { references } from './references.ts'
import { selectors } from './selectors.ts'
import { serviceEntryAddresses } from './service-entry-addresses.ts'
import { serviceEntryProtocols } from './service-entry-protocols.ts'
import { sidecarSelectors } from './sidecar-selectors.ts'
import { telemetries } from './telemetries.ts'
import { unreachableRules } from './unreachable-rules.ts'

/** Every analyzer. A new one is added here and nowhere else. */
export const ANALYZERS: readonly Analyzer[] = [
  references,
  meshHosts,
  sidecarSelectors,
  destinationPorts,
  deploymentPorts,
  portNames,
  selectors,
  unreachableRules,
  gatewayHosts,
  claimRoutes,
  serviceEntryAddresses,
  conflictingGateways,
  destinationRuleHosts,
  serviceEntryProtocols,
  rulesThatNeverMatch,
  shadowedRules,
  credentials,
  telemetries,
]

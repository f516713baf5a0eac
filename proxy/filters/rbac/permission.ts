import { anyUnpack } from '@bufbuild/protobuf/wkt'
import type { Permission } from '../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { UriTemplateMatchConfigSchema } from '../../../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'
import { refuse } from '../../plan/plan-error.ts'
import { addressLeaf, headerLeaf, leaf, pathLeaf, serverNameLeaf } from './leaves.ts'
import { metadataLeaf } from './metadata-leaf.ts'
import { ANY, combine, type Predicate } from './predicate.ts'
import { compileUriTemplate } from './uri-template.ts'

/** envoy.config.rbac.v3.Permission. Throws a PlanError that names the field. */
export function compilePermission({ rule }: Permission, where: string): Predicate {
  switch (rule.case) {
    case 'andRules':
      return combine('and', compileSet(rule.value.rules, `${where}.and_rules`))
    case 'orRules':
      return combine('or', compileSet(rule.value.rules, `${where}.or_rules`))
    case 'notRule':
      return { kind: 'not', child: compilePermission(rule.value, `${where}.not_rule`) }
    case 'any':
      return rule.value ? ANY : refuse(`${where}.any`, 'must be true')
    case 'header':
      return headerLeaf(rule.value, `${where}.header`)
    case 'urlPath':
      return pathLeaf(rule.value, `${where}.url_path`)
    case 'destinationIp':
      return addressLeaf('destination', rule.value, ({ facts }) => facts.destinationAddress, `${where}.destination_ip`)
    case 'destinationPort': {
      const port = rule.value
      if (port > 65_535) refuse(`${where}.destination_port`, 'at most 65535')
      return leaf(`port ${port}`, ({ facts }) => facts.destinationPort === port, {
        subject: { kind: 'port' },
        how: 'exact',
        value: port,
      })
    }
    case 'destinationPortRange': {
      const { start, end } = rule.value
      if (start < 0 || end > 65_536 || start >= end) refuse(`${where}.destination_port_range`, 'is no range of ports')
      return leaf(
        `port in [${start}, ${end})`,
        ({ facts }) => facts.destinationPort >= start && facts.destinationPort < end,
      )
    }
    case 'metadata':
      return metadataLeaf(rule.value, `${where}.metadata`)
    case 'requestedServerName':
      return serverNameLeaf(rule.value, `${where}.requested_server_name`)
    case 'uriTemplate': {
      const any = rule.value.typedConfig
      const config = any && anyUnpack(any, UriTemplateMatchConfigSchema)
      if (config === undefined) return refuse(`${where}.uri_template`, 'is no UriTemplateMatchConfig')
      const regex = compileUriTemplate(config.pathTemplate, `${where}.uri_template`)
      const beginning = /^[^*{]*/.exec(config.pathTemplate)?.[0] ?? ''
      return leaf(
        `path template ${JSON.stringify(config.pathTemplate)}`,
        ({ path }) => path !== undefined && regex.fullMatch(path),
        { subject: { kind: 'path' }, how: 'prefix', value: beginning },
      )
    }
    default:
      return refuse(where, `permission ${rule.case ?? 'without a rule'} is not supported`)
  }
}

function compileSet(rules: readonly Permission[], where: string): Predicate[] {
  if (rules.length === 0) refuse(where, 'at least one rule is needed')
  return rules.map((rule, i) => compilePermission(rule, `${where}.rules[${i}]`))
}

import { create } from '@bufbuild/protobuf'
import { TypedExtensionConfigSchema } from '../../../../api/gen/envoy/config/core/v3/extension_pb.js'
import type { Permission } from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { UriTemplateMatchConfigSchema } from '../../../../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js'
import { PathMatcherSchema } from '../../../../api/gen/envoy/type/matcher/v3/path_pb.js'
import { any } from '../../messages.ts'
import { textMatcher } from './matchers.ts'
import { permission } from './terms.ts'

/** A path without its query: a text, or a template with `{*}` for one segment and `{**}` for all that follow. */
export function pathPermission(value: string): Permission {
  if (!value.includes('{*}') && !value.includes('{**}')) {
    const path = create(PathMatcherSchema, { rule: { case: 'path', value: textMatcher(value) } })
    return permission({ case: 'urlPath', value: path })
  }
  const pathTemplate = value.replaceAll('{**}', '**').replaceAll('{*}', '*')
  const config = create(UriTemplateMatchConfigSchema, { pathTemplate })
  return permission({
    case: 'uriTemplate',
    value: create(TypedExtensionConfigSchema, {
      name: 'uri-template',
      typedConfig: any(UriTemplateMatchConfigSchema, config),
    }),
  })
}

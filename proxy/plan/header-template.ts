import type { HeaderBlock } from '../stream/header-block.ts'
import { splitFormat } from './command-operators.ts'
import { PlanError } from './plan-error.ts'
import { wireText } from './wire-text.ts'

/** What a header value may refer to while it is formatted. */
export interface TemplateContext {
  readonly request: HeaderBlock & {
    readonly method: string
    readonly path: string
    readonly authority: string
    readonly isHttp2: boolean
  }
  /** The client, as far as it is known behind the proxies in front of us, and the peer of the connection. */
  readonly remoteAddress: string
  readonly downstreamAddress: string
  readonly downstreamLocalAddress: string
  readonly routeName: string
  readonly clusterName: string
}

/** A header value, constant or put together per request from Envoy's command operators. */
export type HeaderTemplate = string | readonly TemplatePart[]
type TemplatePart = string | ((context: TemplateContext) => string)

/**
 * Compiles a header value (envoy: "Custom request/response headers"): `%%` is a percent sign and `%OPERATOR(args):length%`
 * is replaced. An operator that is not known refuses the resource, as Envoy does.
 */
export function compileTemplate(written: string, path: string): HeaderTemplate {
  const text = wireText(written, path)
  if (!text.includes('%')) return text
  const unknown = (at: number): never => {
    throw new PlanError(path, `header value ${JSON.stringify(text)}: unknown format operator at character ${at + 1}`)
  }
  const parts = Array.from(splitFormat(text, OPERATOR, unknown), (part): TemplatePart => {
    if (typeof part === 'string') return part
    return operator(part.name, part.args, part.length) ?? unknown(part.at)
  })
  return parts.length === 1 && typeof parts[0] === 'string' ? parts[0] : parts
}

/** `-` stands for what is not there in logs; in headers Envoy writes nothing. */
export function formatTemplate(template: HeaderTemplate, context: TemplateContext): string {
  if (typeof template === 'string') return template
  let out = ''
  for (const part of template) out += typeof part === 'string' ? part : part(context)
  return out
}

const OPERATOR = /%([A-Z_0-9]+)(?:\(([^)]*)\))?(?::(\d+))?%/y

function operator(name: string, args: string, maxLength: number | undefined): TemplatePart | undefined {
  const read = reader(name, args)
  if (read === undefined || maxLength === undefined) return read
  return (context) => read(context).slice(0, maxLength)
}

function reader(name: string, args: string): ((context: TemplateContext) => string) | undefined {
  switch (name) {
    case 'REQ':
    case 'REQUEST_HEADER': {
      const [main = '', alternative = ''] = args.toLowerCase().split('?')
      return (c) => requestField(c, main) || requestField(c, alternative)
    }
    case 'DOWNSTREAM_REMOTE_ADDRESS':
      return (c) => c.remoteAddress
    case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
      return (c) => withoutPort(c.remoteAddress)
    case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS':
      return (c) => c.downstreamAddress
    case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT':
      return (c) => withoutPort(c.downstreamAddress)
    case 'DOWNSTREAM_LOCAL_ADDRESS':
      return (c) => c.downstreamLocalAddress
    case 'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT':
      return (c) => withoutPort(c.downstreamLocalAddress)
    case 'DOWNSTREAM_LOCAL_PORT':
      return (c) => c.downstreamLocalAddress.slice(c.downstreamLocalAddress.lastIndexOf(':') + 1)
    case 'PROTOCOL':
      return (c) => (c.request.isHttp2 ? 'HTTP/2' : 'HTTP/1.1')
    case 'ROUTE_NAME':
      return (c) => wireText(c.routeName, '')
    case 'UPSTREAM_CLUSTER':
      return (c) => wireText(c.clusterName, '')
    default:
      return undefined
  }
}

function requestField(context: TemplateContext, name: string): string {
  switch (name) {
    case '':
      return ''
    case ':method':
      return context.request.method
    case ':path':
      return context.request.path
    case ':authority':
    case 'host':
      return context.request.authority
    default:
      return context.request.get(name) ?? ''
  }
}

function withoutPort(address: string): string {
  const colon = address.lastIndexOf(':')
  if (colon < 0) return address
  return address.charCodeAt(0) === OPENING_BRACKET ? address.slice(1, colon - 1) : address.slice(0, colon)
}

const OPENING_BRACKET = 91

import { createRequire } from 'node:module'
import util from 'node:util'
import type HttpProxy from 'http-proxy'

/*
 * The only door to http-proxy. It takes util._extend as it is loaded, which Node has deprecated and warns of on every start
 * since version 22 (DEP0060). It does what Object.assign does; that is what it gets here.
 */
Object.assign(util, { _extend: Object.assign })

type Create = (options: HttpProxy.ServerOptions) => HttpProxy

export const createProxy = (createRequire(import.meta.url)('http-proxy') as { createProxyServer: Create })
  .createProxyServer

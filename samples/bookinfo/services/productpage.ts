import type { IncomingMessage } from 'node:http'
import { type Answer, Client } from '../app/client.ts'
import { handedOn } from '../app/headers.ts'
import { App, json, type Reply, readForm, redirect } from '../app/server.ts'
import type { AppSpec } from '../app/spec.ts'
import { type BookDetails, PAGE_HEADERS, renderPage } from './page.ts'
import type { Reviews } from './reviews.ts'
import { Sessions } from './sessions.ts'

const PRODUCTS = [
  {
    id: 0,
    title: 'The Comedy of Errors',
    description:
      'Two sets of identical twins, parted at birth, meet by accident in Ephesus: one of the early plays of William ' +
      'Shakespeare, his shortest, and the one with the most slapstick.',
  },
]

/** The page that people see, and the same as JSON under /api/v1/products. */
export function createProductpage(spec: AppSpec): App {
  const client = new Client(spec.via)
  const sessions = new Sessions()

  /** A signed-in user wins over the header; the header alone lets a script be any user. */
  const headersFor = (request: IncomingMessage): Record<string, string> => {
    const user = sessions.userOf(request.headers.cookie)
    return { ...handedOn(request.headers), ...(user === undefined ? {} : { 'end-user': user }) }
  }

  const page = async (request: IncomingMessage): Promise<Reply> => {
    const headers = headersFor(request)
    const [details, reviews] = await Promise.all([
      client.get('details', '/details/0', headers),
      client.get('reviews', '/reviews/0', headers),
    ])
    const body = renderPage({
      title: PRODUCTS[0]?.title ?? '',
      description: PRODUCTS[0]?.description ?? '',
      user: sessions.userOf(request.headers.cookie),
      details: details.status === 200 ? (details.value as BookDetails) : undefined,
      reviews: reviews.status === 200 ? (reviews.value as Reviews) : undefined,
    })
    return { status: 200, headers: PAGE_HEADERS, body }
  }

  const login = async (request: IncomingMessage): Promise<Reply> => {
    const user = (await readForm(request))?.get('username')?.trim() ?? ''
    const cookie = sessions.open(user)
    return redirect('/productpage', cookie === undefined ? {} : { 'set-cookie': cookie })
  }

  return new App(async (request, url) => {
    const path = url.pathname
    if (path === '/') return redirect('/productpage')
    if (path === '/productpage') return page(request)
    if (path === '/login' && request.method === 'POST') return login(request)
    if (path === '/logout' && request.method === 'POST')
      return redirect('/productpage', { 'set-cookie': sessions.close(request.headers.cookie) })
    if (path === '/api/v1/products') return json(PRODUCTS)
    const api = /^\/api\/v1\/products\/(\d+)(?:\/(reviews|ratings))?$/.exec(path)
    if (api === null) return undefined
    const [, id, service = 'details'] = api
    if (!PRODUCTS.some((product) => String(product.id) === id)) return json({ error: `no product ${id}` }, 404)
    return passedOn(service, await client.get(service, `/${service}/${id}`, headersFor(request)))
  })
}

function passedOn(service: string, { status, value }: Answer): Reply {
  if (status === 200) return json(value)
  return json({ error: `${service} is not available just now` }, status === 0 ? 503 : status)
}

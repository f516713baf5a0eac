import { Client } from '../app/client.ts'
import { handedOn } from '../app/headers.ts'
import { App, json } from '../app/server.ts'
import type { AppSpec } from '../app/spec.ts'

export interface Rating {
  stars?: number
  color?: string
  error?: string
}

export interface Review {
  reviewer: string
  text: string
  rating?: Rating
}

export interface Reviews {
  id: string
  podname: string
  version: string
  reviews: Review[]
}

const TEXTS: readonly Review[] = [
  {
    reviewer: 'Reviewer1',
    text: 'Two pairs of twins, one town, and nobody who thinks of asking. I laughed until the lamp went out.',
  },
  {
    reviewer: 'Reviewer2',
    text: 'Lighter than the later plays and all the better for it. The slamming doors alone are worth the price.',
  },
]

/** The colour of the stars by version; v1 knows nothing of ratings. */
const STAR_COLORS: Record<string, string> = { v2: 'black', v3: 'red' }

/** GET /reviews/ID: v1 has text, v2 black stars from the ratings service, v3 red ones. */
export function createReviews(spec: AppSpec): App {
  const client = new Client(spec.via)
  const color = STAR_COLORS[spec.version]
  return new App(async (request, url) => {
    const id = /^\/reviews\/(\d+)$/.exec(url.pathname)?.[1]
    if (id === undefined) return undefined
    let reviews = [...TEXTS]
    if (color !== undefined) {
      const { status, value } = await client.get('ratings', `/ratings/${id}`, handedOn(request.headers))
      const stars = status === 200 ? (value as { ratings: Record<string, number> }).ratings : undefined
      reviews = TEXTS.map((review) => ({ ...review, rating: ratingOf(stars?.[review.reviewer], color) }))
    }
    return json({ id, podname: spec.pod, version: spec.version, reviews } satisfies Reviews)
  })
}

function ratingOf(stars: number | undefined, color: string): Rating {
  return stars === undefined ? { error: 'Ratings are not available just now' } : { stars, color }
}

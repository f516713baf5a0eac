import { createHash } from 'node:crypto'
import { type Html, html } from './html.ts'
import type { Rating, Review, Reviews } from './reviews.ts'
import { STYLE } from './style.ts'

export type BookDetails = Record<string, string | number>

export interface PageView {
  readonly title: string
  readonly description: string
  /** Who is signed in. */
  readonly user: string | undefined
  /** Undefined when the service did not answer. */
  readonly details: BookDetails | undefined
  readonly reviews: Reviews | undefined
}

const styleHash = createHash('sha256').update(STYLE).digest('base64')

/** Nothing may be loaded and nothing may run: the page is its own text and style. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; base-uri 'none'`,
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const MAX_STARS = 5
/** The lines of the details, in the order in which they are shown. */
const DETAILS = ['author', 'year', 'type', 'pages', 'publisher', 'language', 'ISBN-10', 'ISBN-13']

export function renderPage(view: PageView): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${view.title} - Bookinfo</title>
<style>${STYLE_HTML}</style>
</head>
<body>
<header>
<p class="brand">Bookinfo</p>
${view.user === undefined ? signInForm() : signOutForm(view.user)}
</header>
<main>
<h1>${view.title}</h1>
<p class="lead">${view.description}</p>
<div class="columns">
<section aria-labelledby="details">
<h2 id="details">Book details</h2>
${view.details === undefined ? missing('The details') : detailsList(view.details)}
</section>
<section aria-labelledby="reviews">
<h2 id="reviews">Reviews</h2>
${view.reviews === undefined ? missing('The reviews') : reviewList(view.reviews)}
</section>
</div>
</main>
</body>
</html>
`
  return page.text
}

const STYLE_HTML: Html = { text: STYLE }

function signInForm(): Html {
  return html`<form method="post" action="/login">
<label for="username">User</label>
<input id="username" name="username" autocomplete="username" maxlength="64" pattern="[A-Za-z0-9._@\\-]+" required>
<button>Sign in</button>
</form>`
}

function signOutForm(user: string): Html {
  return html`<form method="post" action="/logout">
<span>Signed in as <strong>${user}</strong></span>
<button>Sign out</button>
</form>`
}

function missing(what: string): Html {
  return html`<p class="missing" role="status">${what} are not available just now.</p>`
}

function detailsList(details: BookDetails): Html {
  const lines = DETAILS.filter((name) => details[name] !== undefined)
  return html`<dl>
${lines.map((name) => html`<dt>${label(name)}</dt><dd>${String(details[name])}</dd>`)}
</dl>`
}

function label(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1)
}

function reviewList({ reviews, version, podname }: Reviews): Html {
  return html`${reviews.map(reviewItem)}
<p class="served">Answered by reviews <span class="version">${version}</span> <code>${podname}</code></p>`
}

function reviewItem({ reviewer, text, rating }: Review): Html {
  return html`<blockquote>
<p>${text}</p>
<footer>${reviewer}${rating === undefined ? '' : stars(rating)}</footer>
</blockquote>
`
}

function stars(rating: Rating): Html {
  if (rating.stars === undefined) return html` <span class="missing">${rating.error ?? 'No rating'}</span>`
  const full = Math.max(0, Math.min(MAX_STARS, Math.round(rating.stars)))
  const shape = '\u2605'.repeat(full) + '\u2606'.repeat(MAX_STARS - full)
  const tone = rating.color === 'red' ? 'stars red' : 'stars'
  return html` <span class="${tone}" role="img" aria-label="${full} of ${MAX_STARS} stars">${shape}</span>`
}

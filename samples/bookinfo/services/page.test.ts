import { expect, test } from '@jest/globals'
import { type PageView, renderPage } from './page.ts'

const EVIL = `<img src=x onerror="alert('1')">&`

function view(change: Partial<PageView>): PageView {
  return {
    title: 'A book',
    description: 'Of course',
    user: undefined,
    details: undefined,
    reviews: undefined,
    ...change,
  }
}

test('everything that comes from outside is escaped', () => {
  const page = renderPage({
    title: EVIL,
    description: EVIL,
    user: EVIL,
    details: { author: EVIL },
    reviews: {
      id: '0',
      podname: EVIL,
      version: EVIL,
      reviews: [
        { reviewer: EVIL, text: EVIL },
        { reviewer: EVIL, text: EVIL, rating: { error: EVIL } },
        { reviewer: EVIL, text: EVIL, rating: { stars: 3, color: EVIL } },
      ],
    },
  })
  expect(page).not.toContain('<img')
  expect(page).toContain('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;')
})

test('stars are told to those who cannot see them', () => {
  const rated = (stars: number, color: string) =>
    renderPage(
      view({
        reviews: {
          id: '0',
          podname: 'p',
          version: 'v2',
          reviews: [{ reviewer: 'r', text: 't', rating: { stars, color } }],
        },
      }),
    )
  expect(rated(4, 'black')).toContain('<span class="stars" role="img" aria-label="4 of 5 stars">★★★★☆</span>')
  expect(rated(9, 'red')).toContain('<span class="stars red" role="img" aria-label="5 of 5 stars">★★★★★</span>')
})

test('what does not answer is said to be missing, and the rest is there', () => {
  const page = renderPage(view({ details: { author: 'Somebody', pages: 7 } }))
  expect(page).toContain('The reviews are not available just now.')
  expect(page).toContain('<dt>Author</dt><dd>Somebody</dd>')
  expect(page).not.toContain('The details are not available')
})

test('the reader can sign in, or out', () => {
  expect(renderPage(view({}))).toContain('action="/login"')
  const signedIn = renderPage(view({ user: 'jason' }))
  expect(signedIn).toContain('<strong>jason</strong>')
  expect(signedIn).toContain('action="/logout"')
})

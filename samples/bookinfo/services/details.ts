import { App, json } from '../app/server.ts'

/** GET /details/ID: what is printed on the first pages of the book. */
export function createDetails(): App {
  return new App((_request, url) => {
    const id = /^\/details\/(\d+)$/.exec(url.pathname)?.[1]
    if (id === undefined) return undefined
    return json({
      id: Number(id),
      title: 'The Comedy of Errors',
      author: 'William Shakespeare',
      year: 1595,
      type: 'paperback',
      pages: 200,
      publisher: 'Lantern Press',
      language: 'English',
      'ISBN-10': '0000010596',
      'ISBN-13': '978-0000010594',
    })
  })
}

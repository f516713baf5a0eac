import { App, json } from '../app/server.ts'

/** GET /ratings/ID: stars of each reviewer, out of five. */
export function createRatings(): App {
  return new App((_request, url) => {
    const id = /^\/ratings\/(\d+)$/.exec(url.pathname)?.[1]
    return id === undefined ? undefined : json({ id: Number(id), ratings: { Reviewer1: 5, Reviewer2: 4 } })
  })
}

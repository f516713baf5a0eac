import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import type { ConfigObject, FieldPath } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import type { AnalysisContext } from './context.ts'
import { httpCovers, isCatchAll, l4Covers } from './match-cover.ts'

/** Routes are tried in their order: one that comes after a wider one is never taken. */
export const unreachableRules: Analyzer = {
  name: 'unreachable-rules',
  codes: ['IST0130', 'IST0131'],
  analyze(context) {
    for (const virtualService of context.all('VirtualService')) {
      const { http, tls, tcp } = virtualService.body.spec
      check(virtualService, ['spec', 'http'], http, { covers: httpCovers, isCatchAll }, context)
      check(virtualService, ['spec', 'tls'], tls, { covers: l4Covers, isCatchAll: () => false }, context)
      check(virtualService, ['spec', 'tcp'], tcp, { covers: l4Covers, isCatchAll: isEmpty }, context)
    }
  },
}

function isEmpty(match: object): boolean {
  return Object.keys(match).length === 0
}

interface Rules<Match> {
  /** Whether every call that meets the second meets the first. */
  covers(a: Match, b: Match): boolean
  isCatchAll(match: Match): boolean
}

function check<Match>(
  virtualService: ConfigObject<VirtualServiceBody>,
  path: FieldPath,
  routes: readonly { match?: readonly Match[] }[] | undefined,
  rules: Rules<Match>,
  context: AnalysisContext,
): void {
  const earlier: { match: Match; place: string }[] = []
  let catchAll: number | undefined
  routes?.forEach((route, index) => {
    const at = [...path, index]
    if (catchAll !== undefined) {
      context.report('IST0130', virtualService, at, `is never taken: route ${catchAll} takes every call`)
      return
    }
    const matches = route.match ?? []
    const covered: { position: number; place: string }[] = []
    // Matches of one route lead to the same place, so they cover each other only as a needless repetition.
    matches.forEach((match, position) => {
      const by = earlier.find((other) => rules.covers(other.match, match))
      if (by !== undefined) covered.push({ position, place: by.place })
      else earlier.push({ match, place: `match ${position} of route ${index}` })
    })
    const first = covered[0]
    const ownRoute = `of route ${index}`
    if (
      first !== undefined &&
      covered.length === matches.length &&
      covered.every(({ place }) => !place.endsWith(ownRoute))
    ) {
      context.report('IST0130', virtualService, at, `is never taken: ${first.place} takes its calls`)
    } else {
      for (const { position, place } of covered) {
        context.report('IST0131', virtualService, [...at, 'match', position], `is never met: ${place} takes its calls`)
      }
    }
    if (matches.length === 0 || matches.some((match) => rules.isCatchAll(match))) catchAll = index
  })
}

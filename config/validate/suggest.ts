/** The candidate that a mistyped word was probably meant to be; undefined when none is near. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  const folded = fold(word)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    if (fold(candidate) === folded) return candidate
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue
    const distance = editDistance(folded, fold(candidate))
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function fold(word: string): string {
  return word.replace(/[_-]/g, '').toLowerCase()
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_unused, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(substitution, previous[j]! + 1, current[j - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}

export function didYouMean(word: string, candidates: readonly string[]): string {
  const nearest = suggest(word, candidates)
  return nearest === undefined ? '' : `; did you mean "${nearest}"?`
}

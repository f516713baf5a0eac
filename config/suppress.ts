/** Istio's annotation with which an object waives findings: codes separated by commas, or `*`. */
export const SUPPRESS_ANNOTATION = 'galley.istio.io/analyze-suppress'

export function isSuppressed(annotations: Readonly<Record<string, string>>, code: string): boolean {
  const codes = annotations[SUPPRESS_ANNOTATION]
  if (codes === undefined) return false
  return codes.split(',').some((entry) => {
    const text = entry.trim()
    return text === '*' || text === code
  })
}

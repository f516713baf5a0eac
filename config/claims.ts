/** The word by which a VirtualService names the claims of a token where it otherwise names a header. */
const PREFIX = '@request.auth.claims'

export function namesClaims(header: string): boolean {
  return header.toLowerCase().startsWith(PREFIX)
}

/**
 * `@request.auth.claims.a.b` and `@request.auth.claims[a][b]` as the path of a claim (Istio's ToRoutingClaim): in the second
 * form names may hold dots. undefined for what names none.
 */
export function claimPath(header: string): readonly string[] | undefined {
  if (!namesClaims(header)) return undefined
  const rest = header.slice(PREFIX.length)
  const path = rest.startsWith('.')
    ? rest.slice(1).split('.')
    : rest.startsWith('[') && rest.endsWith(']')
      ? rest.slice(1, -1).split('][')
      : []
  return path.length > 0 && path.every((name) => name !== '') ? path : undefined
}

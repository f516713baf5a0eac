import { type Static, Type } from '@sinclair/typebox'
import { duration, message, strings, unsupported } from '../schema.ts'
import { MatchLabelsSelector, PolicyTargetReference } from './common.ts'
import { body } from './object.ts'

export const JWTHeader = message({
  name: Type.String(),
  prefix: Type.Optional(Type.String({ description: 'What stands before the token, such as "Bearer ".' })),
})
export type JWTHeader = Static<typeof JWTHeader>

export const ClaimToHeader = message({
  header: Type.String(),
  claim: Type.String({ description: 'With dots for claims within claims.' }),
})
export type ClaimToHeader = Static<typeof ClaimToHeader>

export const JWTRule = message(
  {
    issuer: Type.Optional(Type.String({ description: 'The claim iss, exactly.' })),
    audiences: Type.Optional(strings('One of these must be in the claim aud. None: it is not looked at.')),
    jwksUri: Type.Optional(
      Type.String({ description: "Where the issuer's keys are. Without it and jwks, OpenID Connect discovery." }),
    ),
    jwks: Type.Optional(Type.String({ description: "The issuer's keys, a JSON Web Key Set." })),
    fromHeaders: Type.Optional(Type.Array(JWTHeader)),
    fromParams: Type.Optional(strings('Names of query parameters.')),
    fromCookies: Type.Optional(strings()),
    outputPayloadToHeader: Type.Optional(Type.String({ description: 'The payload goes there in base64url.' })),
    forwardOriginalToken: Type.Optional(Type.Boolean({ description: 'The token stays in the request.' })),
    outputClaimToHeaders: Type.Optional(Type.Array(ClaimToHeader)),
    timeout: Type.Optional(duration('For fetching the keys. 5s if not set.')),
    spaceDelimitedClaims: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 64,
        description: 'Claims that are lists written as one text; scope and permission always are.',
      }),
    ),
  },
  'An issuer of tokens. They are looked for in the header Authorization, after Bearer, and in the parameter access_token.',
)
export type JWTRule = Static<typeof JWTRule>

export const RequestAuthenticationSpec = message(
  {
    selector: Type.Optional(MatchLabelsSelector),
    targetRef: Type.Optional(
      unsupported(
        PolicyTargetReference,
        'gateways of the Gateway API are not taken yet, so the policy applies nowhere',
      ),
    ),
    targetRefs: Type.Optional(
      unsupported(
        Type.Array(PolicyTargetReference, { maxItems: 16 }),
        'gateways of the Gateway API are not taken yet, so the policy applies nowhere',
      ),
    ),
    jwtRules: Type.Optional(Type.Array(JWTRule, { maxItems: 4096 })),
  },
  'Whose tokens a workload believes. A bad token is refused; that there is one, an AuthorizationPolicy demands.',
)
export type RequestAuthenticationSpec = Static<typeof RequestAuthenticationSpec>

export const RequestAuthenticationBody = body(RequestAuthenticationSpec)
export type RequestAuthenticationBody = Static<typeof RequestAuthenticationBody>

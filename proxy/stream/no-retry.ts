/**
 * Says in an answer, to a caller of the mesh, that whoever gives it wanted to try again and could not: that trying from further
 * out would only multiply the load (decision 16). Our proxies do not retry such an answer.
 */
export const NO_RETRY = 'x-lateen-no-retry'

/**
 * Why: all tries were made, the budget is spent, the caller does not wait that long, or the request is a retry itself, or is
 * answered with this very field.
 */
export type RetryRefusal = 'limit' | 'budget' | 'deadline' | 'nested'

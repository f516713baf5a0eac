import type { ClusterPlan, ListenerPlan } from '../plan/plan.ts'
import { tlsBySecrets, tlsOfCluster } from '../plan/secret-needs.ts'
import type { BySecrets, SecretPlan } from '../plan/secret-plan.ts'
import type { SecretStore } from './secret-store.ts'

/** A TLS context that refers to secrets. */
export type SecretUser = BySecrets<unknown>

/** Every TLS context of these that refers to secrets. */
export function* secretUsers(
  listeners: Iterable<ListenerPlan>,
  clusters: Iterable<ClusterPlan>,
): Generator<SecretUser, void, undefined> {
  for (const listener of listeners) yield* tlsBySecrets(listener)
  for (const cluster of clusters) yield* tlsOfCluster(cluster)
}

/**
 * Throws a PlanError when a reference of the user cannot be answered, or when the secrets that are there do not go with
 * it. What is not there yet is looked at when it comes.
 */
export function checkUser(user: SecretUser, store: SecretStore): void {
  for (const ref of user.needs) store.checkSource(ref)
  user.check(store.findAll(user.needs))
}

/** Throws a PlanError when a secret that has come does not go with a user that refers to it, as in Envoy. */
export function checkSecret(source: string, secret: SecretPlan, users: Iterable<SecretUser>, store: SecretStore): void {
  for (const user of new Set(users)) {
    const keys = user.needs.filter((ref) => ref.name === secret.name && store.sourceOf(ref) === source)
    if (keys.length === 0) continue
    const secrets = new Map(store.findAll(user.needs))
    for (const { key } of keys) secrets.set(key, secret)
    user.check(secrets)
  }
}

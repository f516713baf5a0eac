import { expect, test } from '@jest/globals'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type ClusterPlan, EMPTY_PLAN, type ListenerPlan, type Plan } from '../../plan/plan.ts'
import { PlanStats } from './plan-stats.ts'

const listener = () => ({}) as ListenerPlan
const cluster = () => ({}) as ClusterPlan

test('what comes, changes and goes from plan to plan is counted, and what there is', () => {
  const metrics = new MetricStore()
  const stats = new PlanStats(metrics)
  const [a, b] = [listener(), cluster()]
  const plan = (listeners: [string, ListenerPlan][], clusters: [string, ClusterPlan][]): Plan => ({
    ...EMPTY_PLAN,
    listeners: new Map(listeners),
    clusters: new Map(clusters),
  })
  const read = () =>
    Object.fromEntries(metrics.all().map(({ name, value }) => [name.replace(/.*_manager\./, ''), value]))
  stats.setPlan(
    plan(
      [['a', a]],
      [
        ['b', b],
        ['c', cluster()],
      ],
    ),
  )
  const first = { listener_added: 1, total_listeners_active: 1, cluster_added: 2, active_clusters: 2 }
  const none = { listener_modified: 0, listener_removed: 0, cluster_modified: 0, cluster_removed: 0 }
  expect(read()).toEqual({ ...none, ...first })
  stats.setPlan(
    plan(
      [
        ['a', listener()],
        ['d', listener()],
      ],
      [['b', b]],
    ),
  )
  expect(read()).toEqual({
    listener_added: 2,
    listener_modified: 1,
    listener_removed: 0,
    total_listeners_active: 2,
    cluster_added: 2,
    cluster_modified: 0,
    cluster_removed: 1,
    active_clusters: 1,
  })
})

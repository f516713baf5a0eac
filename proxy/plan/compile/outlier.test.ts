import { expect, test } from '@jest/globals'
import { clusterPlan } from '../testing.ts'

const outlier = (fields: object) => clusterPlan({ outlierDetection: fields }).outlier

test("what is not given is Envoy's default", () => {
  expect(clusterPlan({}).outlier).toBeUndefined()
  expect(outlier({})).toEqual({
    consecutive5xx: 5,
    consecutiveGatewayFailure: 5,
    consecutiveLocalOriginFailure: 5,
    enforcing: {
      consecutive_5xx: 100,
      consecutive_gateway_failure: 0,
      consecutive_local_origin_failure: 100,
      success_rate: 100,
      local_origin_success_rate: 100,
      failure_percentage: 0,
      local_origin_failure_percentage: 0,
    },
    splitExternalLocalOriginErrors: false,
    intervalMs: 10_000,
    baseEjectionTimeMs: 30_000,
    maxEjectionTimeMs: 300_000,
    maxEjectionTimeJitterMs: 0,
    maxEjectionPercent: 10,
    alwaysEjectOneHost: false,
    successRateMinimumHosts: 5,
    successRateRequestVolume: 100,
    successRateStdevFactor: 1900,
    failurePercentageThreshold: 85,
    failurePercentageMinimumHosts: 5,
    failurePercentageRequestVolume: 50,
    successfulActiveHealthCheckUnejectHost: true,
  })
})

test('0 is a value, and not the default', () => {
  expect(outlier({ consecutive5xx: 0, maxEjectionPercent: 0, enforcingConsecutive5xx: 0 })).toMatchObject({
    consecutive5xx: 0,
    maxEjectionPercent: 0,
    enforcing: { consecutive_5xx: 0 },
  })
})

test('the longest ejection is at least the base time', () => {
  expect(outlier({ baseEjectionTime: '600s' })?.maxEjectionTimeMs).toBe(600_000)
  expect(() => outlier({ baseEjectionTime: '60s', maxEjectionTime: '59s' })).toThrow(
    /outlier_detection.max_ejection_time/,
  )
})

test.each([
  [{ maxEjectionPercent: 101 }, 'max_ejection_percent'],
  [{ enforcingSuccessRate: 101 }, 'enforcing_success_rate'],
  [{ interval: '0s' }, 'interval'],
  [{ baseEjectionTime: '0s' }, 'base_ejection_time'],
  [{ monitors: [{ name: 'm' }] }, 'monitors'],
])('refused by name: %j', (fields, field) => {
  expect(() => outlier(fields)).toThrow(`outlier_detection.${field}`)
})

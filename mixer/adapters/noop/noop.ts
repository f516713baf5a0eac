import { Type } from '@sinclair/typebox'
import { TEMPLATES } from '../../rules/templates.ts'
import type { Adapter } from '../adapter.ts'

/** Lets everything pass and keeps nothing. */
export const noop: Adapter<Record<string, never>> = {
  name: 'noop',
  templates: [...TEMPLATES.values()].filter(({ variety }) => variety !== 'ATTRIBUTE_GENERATOR').map(({ name }) => name),
  params: Type.Object({}, { additionalProperties: false }),

  open() {
    const yes = { code: 0, message: '', validDurationMs: 1e6, validUseCount: 1e6 }
    return {
      check: () => yes,
      quota: (_instance, { amount }) => ({
        granted: amount,
        validDurationMs: 0,
        maxAmount: amount,
        remaining: 0,
        resetMs: 0,
      }),
      report() {},
      close() {},
    }
  },
}

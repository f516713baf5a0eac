import { expect, test } from '@jest/globals'
import { spiffeId } from '../../api/spiffe.ts'
import { node } from '../testing/mesh.ts'
import { disagreement } from './agreement.ts'

const proven = spiffeId('cluster.local', 'shop', 'reviews')!

test.each<[string, Parameters<typeof node>, string]>([
  ['of the namespace', [{ namespace: 'shop' }], ''],
  [
    'of the namespace, in other words too',
    [{ namespace: 'shop' }, { NAMESPACE: 'shop', SERVICE_ACCOUNT: 'reviews' }],
    '',
  ],
  ['that leaves its account out', [{ namespace: 'shop' }, { SERVICE_ACCOUNT: '' }], ''],
  ['of another namespace', [{ namespace: 'bank' }, { NAMESPACE: 'shop' }], "the node id's namespace"],
  ['whose metadata has another namespace', [{ namespace: 'shop' }, { NAMESPACE: 'bank' }], 'NAMESPACE'],
  ['of another account', [{ namespace: 'shop' }, { SERVICE_ACCOUNT: 'ratings' }], 'SERVICE_ACCOUNT'],
  ['whose namespace is no text', [{ namespace: 'shop' }, { NAMESPACE: ['shop'] }], 'NAMESPACE'],
])('a node %s', (_what, args, reason) => {
  const found = disagreement(node(...args), proven)
  if (reason === '') expect(found).toBe('')
  else expect(found).toContain(reason)
})

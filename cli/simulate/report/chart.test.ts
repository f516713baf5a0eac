import { expect, test } from '@jest/globals'
import { formatChart } from './chart.ts'

test('draws a column a slice', () => {
  const chart = formatChart('Load', [0, 1, 2, 3, null, 2.9, 0.2], '7s', (value) => value.toFixed(1))
  expect(chart).toBe(
    [
      'Load',
      '  3.0 |   # #',
      '  2.5 |   # #',
      '  2.0 |  ## #',
      '  1.5 |  ## #',
      '  1.0 | ### #',
      '  0.5 | ### #',
      '  0.0 +-------',
      '       0    7s',
      '',
    ].join('\n'),
  )
})

test('has room for what is over all others, and for nothing at all', () => {
  expect(formatChart('a', [14, 1], '', String).split('\n')[1]).toBe('    15 |#')
  expect(formatChart('a', [null, 0], '', (value) => value.toFixed(1)).split('\n')[1]).toBe('  1.0 |')
})

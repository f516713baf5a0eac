import { mkdtempSync, readFileSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { LineSink } from './line-sink.ts'

function sinkOf() {
  const path = join(mkdtempSync(join(tmpdir(), 'lines-')), 'log')
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const dropped = metrics.counter('access_logs.file.lines_dropped')
  return { path, clock, dropped, sink: new LineSink(path, clock, metrics) }
}

test('lines are whole and in order, and what is held is written at the end', () => {
  const { path, sink } = sinkOf()
  sink.write('one\n')
  sink.write('two\xff\n')
  expect(readFileSync(path, 'latin1')).toBe('')
  sink.close()
  expect(readFileSync(path, 'latin1')).toBe('one\ntwo\xff\n')
})

test('after the file was moved away, lines go to a new one', () => {
  const { path, sink } = sinkOf()
  sink.write('before\n')
  renameSync(path, `${path}.1`)
  sink.reopen()
  sink.write('after\n')
  sink.close()
  expect(readFileSync(`${path}.1`, 'latin1')).toBe('before\n')
  expect(readFileSync(path, 'latin1')).toBe('after\n')
})

test('of lines that the disk does not take the oldest go, and are counted', () => {
  const { path, sink, dropped } = sinkOf()
  // No callback of a write comes while this loop goes on.
  const line = `${'x'.repeat(1023)}\n`
  for (let i = 0; i < 8192; i++) sink.write(line)
  expect(dropped.value).toBeGreaterThan(3000)
  sink.write('last\n')
  sink.close()
  expect(readFileSync(path, 'latin1').endsWith('last\n')).toBe(true)
  const after = dropped.value
  sink.write('late\n')
  expect(dropped.value).toBe(after + 1)
})

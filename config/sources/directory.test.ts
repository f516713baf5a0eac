import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ManualClock, systemClock } from '../../lib/clock.ts'
import { codes, eventually, networking } from '../testing.ts'
import { DirectorySource } from './directory.ts'

let dir = ''
const open: DirectorySource[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-config-'))
})

afterEach(() => {
  for (const source of open.splice(0)) source.close()
  rmSync(dir, { recursive: true, force: true })
})

const rule = (name: string, host = name) => networking('DestinationRule', `host: ${host}`, name)
const write = (name: string, text: string) => writeFileSync(join(dir, name), text)
const hosts = (source: DirectorySource) =>
  source
    .current()
    .objects.map((object) => (object.body as { spec: { host: string } }).spec.host)
    .sort()

/** Reads only when told. */
async function quiet(paths: string[], clock = new ManualClock()): Promise<DirectorySource> {
  const source = await DirectorySource.open(paths, { clock, watch: false })
  open.push(source)
  return source
}

/** Reads when the operating system tells; the periodic look never comes. */
async function watching(path: string): Promise<DirectorySource> {
  const source = await DirectorySource.open([path], { clock: systemClock, debounceMs: 5, restatMs: 3_600_000 })
  open.push(source)
  return source
}

test('reads the files of a directory and of those below, in the order of their names', async () => {
  mkdirSync(join(dir, 'b/deep'), { recursive: true })
  mkdirSync(join(dir, '.git'))
  write('a.yaml', rule('x', 'one'))
  write('b/deep/z.yml', rule('x', 'two'))
  write('c.json', JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: {} }))
  write('notes.txt', 'no: [yaml')
  write('.hidden.yaml', rule('hidden'))
  write('.git/x.yaml', rule('hidden'))
  const source = await quiet([dir])
  expect(source.current().objects.map((o) => [o.kind, o.metadata.name, o.origin.file])).toEqual([
    ['DestinationRule', 'x', join(dir, 'b/deep/z.yml')],
    ['Service', 's', join(dir, 'c.json')],
  ])
  expect(codes(source.current().findings)).toEqual(['LTN0103'])
})

test('takes single files whatever their name', async () => {
  write('a.txt', rule('a'))
  write('b.yaml', rule('b'))
  expect(hosts(await quiet([join(dir, 'a.txt'), join(dir, 'b.yaml')]))).toEqual(['a', 'b'])
})

test('links that lead in circles end, links that lead nowhere are findings', async () => {
  mkdirSync(join(dir, 'sub'))
  symlinkSync('..', join(dir, 'sub/up'))
  symlinkSync('nowhere', join(dir, 'dangling.yaml'))
  write('a.yaml', rule('a'))
  const source = await quiet([dir])
  expect(hosts(source)).toEqual(['a'])
  expect(source.current().findings.map(({ code, file }) => [code, file])).toEqual([
    ['LTN0105', join(dir, 'dangling.yaml')],
  ])
})

test('a path that vanishes leaves what was known of it; one that comes is read', async () => {
  const path = join(dir, 'later')
  const source = await quiet([path])
  expect(codes(source.current().findings)).toEqual(['LTN0105'])
  mkdirSync(path)
  write('later/a.yaml', rule('a'))
  await source.rescan()
  expect(hosts(source)).toEqual(['a'])
  expect(source.current().findings).toEqual([])
  renameSync(path, `${path}-not`)
  await source.rescan()
  expect(hosts(source)).toEqual(['a'])
  expect(codes(source.current().findings)).toEqual(['LTN0105'])
})

test('reads again only what changed', async () => {
  const clock = new ManualClock(Date.now() + 3_600_000)
  for (const name of ['a', 'b', 'c']) write(`${name}.yaml`, rule(name))
  const source = await quiet([dir], clock)
  const before = source.current()
  expect(source.filesRead).toBe(3)
  await source.rescan()
  expect(source.filesRead).toBe(3)
  expect(source.current()).toBe(before)
  write('b.yaml', rule('b', 'other'))
  await source.rescan()
  expect(source.filesRead).toBe(4)
  expect(hosts(source)).toEqual(['a', 'c', 'other'])
  expect(source.current().objects.filter((object) => before.objects.includes(object))).toHaveLength(2)
})

test('a file written twice within the grain of its times is not missed', async () => {
  const clock = new ManualClock(Date.now())
  write('a.yaml', rule('a', 'aa'))
  const source = await quiet([dir], clock)
  write('a.yaml', rule('a', 'bb'))
  utimesSync(join(dir, 'a.yaml'), new Date(), new Date())
  await source.rescan()
  expect(hosts(source)).toEqual(['bb'])
})

test('a file that is empty for a moment keeps its objects, one that stays empty does not', async () => {
  const clock = new ManualClock()
  write('a.yaml', rule('a'))
  const source = await quiet([dir], clock)
  write('a.yaml', '')
  await source.rescan()
  expect(hosts(source)).toEqual(['a'])
  clock.advance(900)
  await source.rescan()
  expect(hosts(source)).toEqual(['a'])
  clock.advance(200)
  await source.rescan()
  expect(hosts(source)).toEqual([])
})

test('a file written during a scan is not read without what was written before it', async () => {
  // Between them, files enough that the first is long read when the last is.
  for (let i = 0; i < 64; i++) write(`between-${i}.yaml`, rule(`between-${i}`))
  write('a-first.yaml', rule('first', 'v0'))
  write('z-last.yaml', rule('last', 'v0'))
  const source = await quiet([dir])
  const seen: string[] = []
  source.onChange(() => {
    const hostOf = (name: string) => {
      const object = source.current().objects.find(({ metadata }) => metadata.name === name)
      return (object?.body as { spec: { host: string } } | undefined)?.spec.host
    }
    seen.push(`${hostOf('first')} ${hostOf('last')}`)
  })
  const wanted: string[] = []
  for (let round = 1; round <= 50; round++) {
    const isDone = source.rescan()
    for (let turns = round % 10; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    write('a-first.yaml', rule('first', `v${round}`))
    write('z-last.yaml', rule('last', `v${round}`))
    await isDone
    await source.rescan()
    wanted.push(`v${round} v${round}`)
  }
  expect(seen).toEqual(wanted)
})

test('what is no text, or too large, is a finding and leaves what was known', async () => {
  write('a.yaml', rule('a'))
  write('b.yaml', rule('b'))
  const source = await quiet([dir])
  writeFileSync(join(dir, 'a.yaml'), Buffer.from([0xff, 0xfe, 0x61]))
  write('b.yaml', ' '.repeat(16 * 1024 * 1024 + 1))
  await source.rescan()
  expect(hosts(source)).toEqual(['a', 'b'])
  expect(codes(source.current().findings)).toEqual(['LTN0001', 'LTN0002'])
})

test('looks again from time to time without being told', async () => {
  const clock = new ManualClock()
  write('a.yaml', rule('a'))
  const source = await DirectorySource.open([dir], {
    clock,
    restatMs: 10_000,
    debounceMs: 3_600_000,
    maxDebounceMs: 3_600_000,
  })
  open.push(source)
  write('b.yaml', rule('b'))
  clock.advance(9000)
  expect(hosts(source)).toEqual(['a'])
  clock.advance(1000)
  await eventually(() => expect(hosts(source)).toEqual(['a', 'b']))
})

test('gathers a burst of changes, but not for ever', async () => {
  const clock = new ManualClock()
  const source = await DirectorySource.open([dir], { clock, debounceMs: 100, maxDebounceMs: 250, restatMs: 3_600_000 })
  open.push(source)
  write('a.yaml', rule('a'))
  await eventually(() => expect(clock.pendingTimers).toBe(2))
  expect(hosts(source)).toEqual([])
  clock.advance(100)
  await eventually(() => expect(hosts(source)).toEqual(['a']))
})

test('follows edits, new files and directories, removals and renames', async () => {
  const source = await watching(dir)
  write('a.yaml', rule('a'))
  await eventually(() => expect(hosts(source)).toEqual(['a']))
  write('a.yaml', rule('a', 'edited'))
  await eventually(() => expect(hosts(source)).toEqual(['edited']))
  mkdirSync(join(dir, 'sub'))
  write('sub/b.yaml', rule('b'))
  await eventually(() => expect(hosts(source)).toEqual(['b', 'edited']))
  write('sub/b.yaml', rule('b', 'c'))
  await eventually(() => expect(hosts(source)).toEqual(['c', 'edited']))
  write('.a.tmp', rule('a', 'renamed'))
  renameSync(join(dir, '.a.tmp'), join(dir, 'a.yaml'))
  await eventually(() => expect(hosts(source)).toEqual(['c', 'renamed']))
  rmSync(join(dir, 'sub'), { recursive: true })
  await eventually(() => expect(hosts(source)).toEqual(['renamed']))
  mkdirSync(join(dir, 'sub'))
  write('sub/d.yaml', rule('d'))
  await eventually(() => expect(hosts(source)).toEqual(['d', 'renamed']))
  write('sub/d.yaml', rule('d', 'e'))
  await eventually(() => expect(hosts(source)).toEqual(['e', 'renamed']))
  unlinkSync(join(dir, 'a.yaml'))
  await eventually(() => expect(hosts(source)).toEqual(['e']))
})

/** How many times everything is looked at for what `act` does, once `host` is what `x.yaml` says. */
async function wholeScansFor(source: DirectorySource, host: string, act: () => void): Promise<number> {
  const before = source.wholeScans
  act()
  await eventually(() => expect(hosts(source)).toContain(host))
  return source.wholeScans - before
}

const isLinux = process.platform === 'linux'
const onLinux = isLinux ? test : test.skip

onLinux('looks only at files that are edited, or replaced by another', async () => {
  for (const name of ['a', 'b', 'x', 'z']) write(`${name}.yaml`, rule(name))
  const source = await watching(dir)
  const replace = (temporary: string, text: string) => {
    write(temporary, text)
    renameSync(join(dir, temporary), join(dir, 'x.yaml'))
  }
  expect(await wholeScansFor(source, 'edited', () => write('x.yaml', rule('x', 'edited')))).toBe(0)
  expect(await wholeScansFor(source, 'beside', () => replace('x.yaml.tmp', rule('x', 'beside')))).toBe(0)
  // As long as the one before, and written at once after it.
  expect(await wholeScansFor(source, 'besidf', () => replace('x.yaml.tmp', rule('x', 'besidf')))).toBe(0)
  const burst = () => {
    for (let i = 0; i < 20; i++) {
      replace('x.yaml~', rule('x', `v${i}`))
      write('z.yaml', rule('z', `w${i}`))
    }
  }
  expect(await wholeScansFor(source, 'v19', burst)).toBe(0)
  await eventually(() => expect(hosts(source)).toEqual(['a', 'b', 'v19', 'w19']))
  write('gone.txt', 'gone')
  unlinkSync(join(dir, 'gone.txt'))
  expect(await wholeScansFor(source, 'last', () => write('x.yaml', rule('x', 'last')))).toBe(0)
  expect(source.current().findings).toEqual([])
})

onLinux('looks at everything when a file comes or goes, or has another name', async () => {
  for (const name of ['a', 'x']) write(`${name}.yaml`, rule(name))
  const source = await watching(dir)
  expect(await wholeScansFor(source, 'new', () => write('new.yaml', rule('new')))).toBeGreaterThan(0)
  unlinkSync(join(dir, 'new.yaml'))
  await eventually(() => expect(hosts(source)).toEqual(['a', 'x']))
  renameSync(join(dir, 'a.yaml'), join(dir, 'x.yaml'))
  await eventually(() => expect(hosts(source)).toEqual(['a']))
  linkSync(join(dir, 'x.yaml'), join(dir, 'z.yaml'))
  await eventually(() => expect(source.current().objects[0]?.origin.file).toBe(join(dir, 'z.yaml')))
  // Announced for one of its names.
  write('x.yaml', rule('a', 'both'))
  await eventually(() => expect(hosts(source)).toEqual(['both']))
  expect(source.current().objects[0]?.origin.file).toBe(join(dir, 'z.yaml'))
})

test('small looks do not put off the look at everything', async () => {
  const clock = new ManualClock()
  write('x.yaml', rule('x'))
  const source = await DirectorySource.open([dir], { clock, restatMs: 10_000, debounceMs: 10 })
  open.push(source)
  const before = source.wholeScans
  for (let second = 1; second < 10; second++) {
    const armed = clock.pendingTimers
    write('x.yaml', rule('x', `v${second}`))
    await eventually(() => expect(clock.pendingTimers).toBe(armed + 1))
    clock.advance(1000)
    await eventually(() => expect(hosts(source)).toEqual([`v${second}`]))
  }
  clock.advance(1000)
  await eventually(() => expect(source.wholeScans).toBeGreaterThan(before))
})

test('a file that is emptied is looked at again, announced or not', async () => {
  const clock = new ManualClock()
  write('a.yaml', rule('a'))
  write('b.yaml', rule('b'))
  const source = await DirectorySource.open([dir], { clock, restatMs: 3_600_000, debounceMs: 10 })
  open.push(source)
  const armed = clock.pendingTimers
  write('a.yaml', '')
  await eventually(() => expect(clock.pendingTimers).toBe(armed + 1))
  const read = source.filesRead
  clock.advance(10)
  await eventually(() => expect(source.filesRead).toBe(read + 1))
  expect(hosts(source)).toEqual(['a', 'b'])
  await eventually(() => expect(clock.pendingTimers).toBe(armed + 1))
  clock.advance(1000)
  await eventually(() => expect(hosts(source)).toEqual(['b']))
})

test('follows a mounted ConfigMap: visible links through ..data, which is replaced', async () => {
  const version = (name: string, text: string) => {
    mkdirSync(join(dir, name))
    write(`${name}/a.yaml`, text)
    symlinkSync(name, join(dir, '..data_tmp'))
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'))
  }
  version('..1', rule('a', 'one'))
  symlinkSync('..data/a.yaml', join(dir, 'a.yaml'))
  const source = await watching(dir)
  expect(hosts(source)).toEqual(['one'])
  version('..2', rule('a', 'two'))
  rmSync(join(dir, '..1'), { recursive: true })
  await eventually(() => expect(hosts(source)).toEqual(['two']))
  expect(source.current().findings).toEqual([])
})

test('follows a single file that is replaced, and the target of a link', async () => {
  mkdirSync(join(dir, 'elsewhere'))
  mkdirSync(join(dir, 'config'))
  write('elsewhere/a.yaml', rule('a'))
  symlinkSync('../elsewhere/a.yaml', join(dir, 'config/a.yaml'))
  const source = await watching(join(dir, 'config'))
  write('elsewhere/a.yaml', rule('a', 'b'))
  await eventually(() => expect(hosts(source)).toEqual(['b']))
  const single = await watching(join(dir, 'elsewhere/a.yaml'))
  write('elsewhere/new', rule('a', 'c'))
  renameSync(join(dir, 'elsewhere/new'), join(dir, 'elsewhere/a.yaml'))
  await eventually(() => expect(hosts(single)).toEqual(['c']))
  await eventually(() => expect(hosts(source)).toEqual(['c']))
})

test('a listener that throws does not end the following', async () => {
  const source = await watching(dir)
  let calls = 0
  source.onChange(() => {
    calls++
    throw new Error('listener')
  })
  write('a.yaml', rule('a'))
  await eventually(() => expect(calls).toBe(1))
  write('a.yaml', rule('a', 'b'))
  await eventually(() => expect(hosts(source)).toEqual(['b']))
})

test('after close nothing is read and nobody is told', async () => {
  const source = await quiet([dir])
  let calls = 0
  source.onChange(() => {
    calls++
  })
  source.close()
  write('a.yaml', rule('a'))
  await source.rescan()
  expect([calls, hosts(source)]).toEqual([0, []])
})

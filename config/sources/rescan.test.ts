import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { rescan } from './rescan.ts'
import { scanPaths } from './scan.ts'

let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lateen-rescan-'))
  mkdirSync(join(dir, 'sub'))
  for (const name of ['a.yaml', 'b.yaml', 'sub/c.yaml', 'notes.txt']) write(name, name)
})

afterEach(() => rmSync(dir, { recursive: true, force: true }))

const path = (name: string) => join(dir, name)
const write = (name: string, text: string) => writeFileSync(path(name), text)
const scan = () => scanPaths([dir])

test('an edit and a replacement make the scan that a look at everything makes', async () => {
  const before = await scan()
  write('a.yaml', 'edited')
  write('c.tmp', 'replaced')
  renameSync(path('c.tmp'), path('sub/c.yaml'))
  const again = rescan(before, [path('a.yaml'), path('c.tmp'), path('sub/c.yaml')])
  expect(again?.scan).toEqual(await scan())
  expect(again?.looked.map((file) => file.path)).toEqual([path('a.yaml'), path('sub/c.yaml')])
})

test('what is no configuration, or gone before it was ever seen, is of no concern', async () => {
  const before = await scan()
  write('notes.txt', 'more')
  write('other.tmp', '')
  const again = rescan(before, [path('notes.txt'), path('other.tmp'), path('never.yaml')])
  expect(again).toEqual({ scan: before, looked: [] })
})

test.each<[string, () => void, string]>([
  ['a file went', () => unlinkSync(path('a.yaml')), 'a.yaml'],
  ['a file came', () => write('new.yaml', ''), 'new.yaml'],
  ['a directory came', () => mkdirSync(path('new')), 'new'],
  ['a directory went', () => rmSync(path('sub'), { recursive: true }), 'sub'],
  [
    'a directory was replaced',
    () => {
      renameSync(path('sub'), path('old'))
      mkdirSync(path('sub'))
    },
    'sub',
  ],
  ['a link came', () => symlinkSync('a.yaml', path('link')), 'link'],
  [
    'a file became a link',
    () => {
      unlinkSync(path('a.yaml'))
      symlinkSync('b.yaml', path('a.yaml'))
    },
    'a.yaml',
  ],
  [
    'a file became a directory',
    () => {
      unlinkSync(path('a.yaml'))
      mkdirSync(path('a.yaml'))
    },
    'a.yaml',
  ],
  ['a file got another name', () => linkSync(path('a.yaml'), path('z.yaml')), 'a.yaml'],
  ['a file became part of the way', () => {}, 'a.yaml/x'],
])('more must be looked at when %s', async (_what, act, name) => {
  const before = await scan()
  act()
  expect(rescan(before, [path(name)])).toBeUndefined()
})

test.each<[string, () => void, () => string[]]>([
  ['there are links', () => symlinkSync('sub', path('up')), () => [dir]],
  ['a file has two names', () => linkSync(path('a.yaml'), path('z.yaml')), () => [dir]],
  ['a file was asked for by name', () => {}, () => [dir, path('a.yaml')]],
  ['something cannot be read', () => {}, () => [dir, path('absent')]],
])('more must be looked at where %s', async (_what, act, roots) => {
  act()
  const before = await scanPaths(roots())
  write('b.yaml', 'edited')
  expect(rescan(before, [path('b.yaml')])).toBeUndefined()
})

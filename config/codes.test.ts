import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { ANALYZERS } from './analysis/builtin.ts'
import { CODES } from './codes.ts'

const page = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../docs/reference/findings.md'), 'utf8')

test('the page of findings says what the table of codes says, no less and no more', () => {
  const rows = page.split('\n').filter((line) => /^\| (IST|LTN)\d/.test(line))
  expect(rows).toEqual(
    Object.entries(CODES).map(
      ([code, { name, severity, meaning }]) => `| ${code} | ${name} | ${severity} | ${meaning} |`,
    ),
  )
})

test('names are unique', () => {
  const names = Object.values(CODES).map((info) => info.name)
  expect(new Set(names).size).toBe(names.length)
})

test('the step in which a code arises is the one that the page names', () => {
  const analyzed = new Set(ANALYZERS.flatMap((analyzer) => analyzer.codes as readonly string[]))
  const steps = page.slice(page.indexOf('## Where the codes come from'))
  for (const code of Object.keys(CODES)) expect([code, steps.includes(code)]).toEqual([code, !analyzed.has(code)])
})

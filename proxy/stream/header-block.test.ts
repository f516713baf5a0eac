import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseRequestHead } from '../http1/request-parser.ts'
import { FieldBatch, sharedField } from './field-batch.ts'
import { RequestHead } from './message.ts'
import { AT_ONCE, OutBuffer } from './out-buffer.ts'

const NAMES = ['host', 'a', 'accept', 'x-a', 'x-request-id', 'x-b3-traceid'] as const
const batch = new FieldBatch('x-request-id', '0000', 5)
for (let i = 0; i < 5; i++) batch.lines[i * batch.lineLength + batch.valueOffset] = 65 + i
const shared = [sharedField('a', ''), sharedField('x-a', 'fixed'), sharedField('accept', '*/*')]

type Field = readonly [name: string, value: string]
type Edit =
  | { readonly kind: 'append' | 'set'; readonly name: string; readonly value: string }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'of'; readonly index: number }
  | { readonly kind: 'shared'; readonly index: number }

const name = fc.constantFrom(...NAMES)
const value = fc.stringMatching(/^[a-z ]{0,40}$/).map((text) => text.trim())
const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('append' as const, 'set' as const), name, value }),
    fc.record({ kind: fc.constant('remove' as const), name }),
    fc.record({ kind: fc.constant('of' as const), index: fc.nat(4) }),
    fc.record({ kind: fc.constant('shared' as const), index: fc.nat(2) }),
  ),
  { maxLength: 12 },
)

/** What the edit makes of these fields. */
function edited(fields: readonly Field[], edit: Edit): Field[] {
  if (edit.kind === 'of') return [...fields, ['x-request-id', `${'ABCDE'[edit.index]}000`]]
  if (edit.kind === 'shared')
    return [
      ...fields,
      (
        [
          ['a', ''],
          ['x-a', 'fixed'],
          ['accept', '*/*'],
        ] as const
      )[edit.index] as Field,
    ]
  if (edit.kind === 'append') return [...fields, [edit.name, edit.value]]
  const others = fields.filter(([one]) => one !== edit.name)
  return edit.kind === 'set' ? [...others, [edit.name, edit.value]] : others
}

function apply(head: RequestHead, edit: Edit): void {
  if (edit.kind === 'of') head.appendOf(batch, edit.index * batch.lineLength)
  else if (edit.kind === 'shared') head.appendOf(shared[edit.index] as FieldBatch)
  else if (edit.kind === 'remove') head.remove(edit.name)
  else head[edit.kind](edit.name, edit.value)
}

function written(head: RequestHead): string {
  const out = new OutBuffer()
  out.claim(AT_ONCE)
  head.writeLines(out, false)
  return out.take().toString('latin1')
}

test('whatever is added, set and removed, the fields are those of a list that was treated alike', () => {
  const received = fc.array(fc.tuple(name, value), { maxLength: 6 })
  fc.assert(
    fc.property(received, edits, fc.boolean(), (others, all, hasView) => {
      const fields: Field[] = [['host', 'h'], ...others.filter(([one]) => one !== 'host')]
      const text = `GET / HTTP/1.1\r\n${fields.map(([one, said]) => `${one}: ${said}\r\n`).join('')}\r\n`
      const bytes = Buffer.from(text, 'latin1')
      const head = new RequestHead()
      expect(parseRequestHead(bytes, 0, bytes.length - 4, head)).toBeUndefined()
      if (hasView) head.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      let model = fields
      for (const edit of all) {
        apply(head, edit)
        model = edited(model, edit)
      }
      const lines = model.map(([one, said]) => `${one}: ${said}\r\n`).join('')
      expect([...head.fields()]).toEqual(model)
      expect([head.toLines(), written(head), written(head.copy())]).toEqual([lines, lines, lines])
      expect(head.textLength).toBe(model.reduce((sum, [one, said]) => sum + one.length + said.length, 0))
      for (const one of NAMES) {
        const values = model.filter(([other]) => other === one).map(([, said]) => said)
        expect(head.get(one)).toBe(values.length === 0 ? undefined : values.join(','))
        expect(head.has(one)).toBe(values.length > 0)
      }
    }),
  )
})

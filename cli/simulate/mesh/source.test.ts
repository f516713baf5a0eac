import { expect, test } from '@jest/globals'
import { ScenarioSource } from './source.ts'

function service(name: string, port: number): string {
  return `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port }] } })}\n`
}

function ports(source: ScenarioSource): string[] {
  return source.current().objects.map(({ metadata, body }) => {
    const { spec } = body as { spec: { ports: { port: number }[] } }
    return `${metadata.name} ${spec.ports[0]?.port}`
  })
}

test('what is applied takes the place of what there was, and what is deleted is gone', () => {
  const source = new ScenarioSource()
  let changes = 0
  source.onChange(() => changes++)
  source.apply([{ file: 'a.yaml', text: service('a', 1) + service('b', 2) }])
  source.apply([{ file: 'scenario.yaml', text: service('b', 3) }])
  expect(ports(source)).toEqual(['a 1', 'b 3'])
  expect(source.current().findings).toEqual([])
  source.apply([{ file: 'scenario.yaml', text: service('c', 4) }], ['Service/default/a'])
  expect(ports(source)).toEqual(['b 3', 'c 4'])
  expect(changes).toBe(3)
  source.apply([], ['Service/default/none'])
  expect(changes).toBe(3)
})

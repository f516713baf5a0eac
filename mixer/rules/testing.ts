import { MemorySource } from '../../config/sources/memory.ts'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { seededRandom } from '../../lib/random.ts'
import { toldAttributes } from '../attributes/text.ts'
import { MapBag } from '../attributes/value.ts'
import { VOCABULARY } from '../attributes/vocabulary.ts'
import { Mixer } from '../mixer.ts'

/** Helpers for the tests of this room. */

/** A mixer over these objects, with a clock that stands still. */
export function mixerOf(objects: readonly object[]): { mixer: Mixer; clock: ManualClock; source: MemorySource } {
  const source = new MemorySource({ 'test.yaml': yaml(objects) })
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'))
  return { mixer: new Mixer({ source, clock, log: silentLogger, random: seededRandom(1) }), clock, source }
}

/** One document a line, from the first on. */
export function yaml(objects: readonly object[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n---\n')
}

/** An object of config.istio.io. */
export function policy(kind: string, name: string, spec: object, namespace = 'istio-system'): object {
  return { apiVersion: 'config.istio.io/v1alpha2', kind, metadata: { name, namespace }, spec }
}

/** As proxies are told to tell: `source.labels[app]`. */
export function bagOf(attributes: Readonly<Record<string, string>>): MapBag {
  return new MapBag(toldAttributes(Object.entries(attributes), VOCABULARY))
}

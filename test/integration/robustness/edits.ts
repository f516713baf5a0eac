import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Random, randomInt } from '../../../lib/random.ts'
import { clientSidecarYaml, podYaml, serviceYaml } from '../../support/mesh-yaml.ts'
import { randomVirtualService } from '../../support/random-rules.ts'

/** Where things are; every address is one of the loopback. */
export interface Places {
  client: string
  /** Hosts of each version, all of them serving from the beginning to the end. */
  v1: readonly string[]
  v2: readonly string[]
}

export const PORT = 9080
/** Answered by a route that tells how many edits the configuration has had. */
export const EDITS_PATH = '/edits'

/**
 * A service under random edits, in a folder of files. Every edit is valid by itself: whatever the configuration says at
 * any moment, it leads every request to a host that serves.
 */
export class Editor {
  readonly #dir: string
  readonly #random: Random
  readonly #places: Places
  #count = 0
  #replicas = { v1: 1, v2: 1 }
  /** Further names of v2's subset; the rules use those of the last edit of the rules. */
  #aliases = 0
  #usesAliases = 0
  #neighbours = 0

  constructor(dir: string, random: Random, places: Places) {
    this.#dir = dir
    this.#random = random
    this.#places = places
    this.#write('services.yaml', serviceYaml('echo', PORT))
    this.#write('sidecar.yaml', clientSidecarYaml(places.client, PORT))
    this.#writePods()
    this.#writePolicy()
    this.#writeRules()
    this.#write('neighbours.yaml', serviceYaml('neighbour-0', PORT))
  }

  /** One edit of one file. Returns what was done, for the message of a failure. */
  edit(): string {
    this.#count++
    switch (randomInt(this.#random, 6)) {
      case 0:
        this.#replicas = {
          v1: 1 + randomInt(this.#random, this.#places.v1.length),
          v2: 1 + randomInt(this.#random, this.#places.v2.length),
        }
        this.#writePods()
        return `${this.#replicas.v1} and ${this.#replicas.v2} hosts`
      case 1:
        // A subset that rules use must not go before they have let go of it.
        this.#aliases = Math.max(this.#usesAliases, randomInt(this.#random, 4))
        this.#writePolicy()
        return `policy with ${this.#aliases} aliases`
      case 2:
        this.#neighbours = randomInt(this.#random, 5)
        this.#write(
          'neighbours.yaml',
          Array.from({ length: this.#neighbours + 1 }, (_, i) => serviceYaml(`neighbour-${i}`, PORT)).join('---\n'),
        )
        return `${this.#neighbours} neighbours`
      default:
        this.#usesAliases = randomInt(this.#random, this.#aliases + 1)
        this.#writeRules()
        return `rules with ${this.#usesAliases} aliases`
    }
  }

  /** Makes the rules tell the number of all edits so far. */
  finish(): number {
    this.#count++
    this.#writeRules()
    return this.#count
  }

  #writePods(): void {
    const pods = (['v1', 'v2'] as const).flatMap((version) =>
      this.#places[version]
        .slice(0, this.#replicas[version])
        .map((ip) => podYaml(`echo-${version}-${ip.replaceAll('.', '-')}`, `app: echo, version: ${version}`, ip)),
    )
    this.#write('pods.yaml', pods.join('---\n'))
  }

  #writePolicy(): void {
    const random = this.#random
    const balancer = ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM'][randomInt(random, 3)]
    const aliases = Array.from(
      { length: this.#aliases },
      (_, i) => `  - { name: alias-${i}, labels: { version: v2 } }\n`,
    )
    const pool = randomInt(random, 2) === 0 ? '' : `\n    connectionPool: { http: { maxRequestsPerConnection: 7 } }`
    this.#write(
      'policy.yaml',
      `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  trafficPolicy:
    loadBalancer: { simple: ${balancer} }${pool}
  subsets:
  - { name: v1, labels: { version: v1 } }
  - { name: v2, labels: { version: v2 } }
${aliases.join('')}`,
    )
  }

  #writeRules(): void {
    const subsets = ['v1', 'v2', ...Array.from({ length: this.#usesAliases }, (_, i) => `alias-${i}`)]
    const destinations = subsets.map((subset) => ({ host: 'echo', subset }))
    const edits = {
      match: [{ uri: { exact: EDITS_PATH } }],
      directResponse: { status: 200, body: { string: String(this.#count) } },
    }
    const options = { host: 'echo', destinations, port: PORT, onlyForwards: true }
    this.#write('rules.yaml', randomVirtualService(this.#random, options, [edits]))
  }

  /** Editors write in place or beside and rename; both happen. */
  #write(name: string, text: string): void {
    const file = join(this.#dir, name)
    if (randomInt(this.#random, 2) === 0) writeFileSync(file, text)
    else {
      const beside = join(this.#dir, `.${name}.new`)
      writeFileSync(beside, text)
      renameSync(beside, file)
    }
  }
}

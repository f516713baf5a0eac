import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { CliError, EXIT } from '../exit.ts'

/** Bookinfo as it lies in `samples/`, and its program as it was built. */
export class SampleFiles {
  readonly #folder: string
  /** What `node` runs. */
  readonly program: string
  /** What `node --import` gives the program, so that traces join: it hands nothing on itself. */
  readonly preload: string

  /** `entry` is the program that runs: the package's root is the nearest folder above that has samples. */
  constructor(entry: string) {
    let root = dirname(entry)
    while (!existsSync(join(root, 'samples/bookinfo/bookinfo.yaml'))) {
      if (dirname(root) === root)
        throw new CliError(`there is no samples/bookinfo in any folder above ${entry}`, EXIT.internal)
      root = dirname(root)
    }
    this.#folder = join(root, 'samples/bookinfo')
    this.program = join(root, 'dist/samples/bookinfo/main.js')
    this.preload = join(root, 'dist/propagate/main.js')
    for (const built of [this.program, this.preload]) {
      if (!existsSync(built)) throw new CliError(`${built} is missing: run npm run build`, EXIT.internal)
    }
  }

  read(file: string): Promise<string> {
    return readFile(join(this.#folder, file), 'utf8')
  }

  /** The documents of a file that are of these kinds, as they are written. */
  async readKinds(file: string, kinds: readonly string[]): Promise<string> {
    return documentsOfKinds(await this.read(file), kinds)
  }
}

export function documentsOfKinds(text: string, kinds: readonly string[]): string {
  return parseAllDocuments(text)
    .filter((document) => kinds.includes(String(document.get('kind'))))
    .map((document) => text.slice(...document.range.slice(0, 2)).replace(/^---\n/, ''))
    .join('---\n')
}

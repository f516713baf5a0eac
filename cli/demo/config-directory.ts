import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The directory that the pilot watches. Every write is atomic, as an operator's tool would do it. */
export class ConfigDirectory {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  async write(file: string, text: string): Promise<void> {
    const path = join(this.path, file)
    await mkdir(dirname(path), { recursive: true })
    // A hidden name, so that nobody reads it before it is whole.
    const unfinished = join(dirname(path), `.${file.replaceAll('/', '-')}.new`)
    await writeFile(unfinished, text)
    await rename(unfinished, path)
  }
}

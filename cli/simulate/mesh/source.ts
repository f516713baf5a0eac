import { Assembler } from '../../../config/assemble.ts'
import { type LoadedFile, loadFile } from '../../../config/load.ts'
import { Listeners } from '../../../config/sources/listeners.ts'
import type { ConfigSnapshot, ConfigSource } from '../../../config/store.ts'
import type { ConfigText } from '../scenario/model.ts'

/**
 * The configuration of a simulated mesh. It changes as a cluster does to which files are applied: an object takes the place of the one
 * of its kind and name, wherever that came from.
 */
export class ScenarioSource implements ConfigSource {
  readonly #assembler = new Assembler()
  readonly #listeners = new Listeners()
  #files: LoadedFile[] = []

  current(): ConfigSnapshot {
    return this.#assembler.current
  }

  onChange(listener: (snapshot: ConfigSnapshot) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Applies some texts and deletes some objects, at once. */
  apply(texts: readonly ConfigText[], deleted: readonly string[] = []): void {
    const added = texts.map(({ file, text }) => loadFile(file, text))
    const replaced = new Set([...deleted, ...added.flatMap((file) => file.objects.map(({ loaded }) => loaded.key))])
    const kept = this.#files.map((file) => ({
      ...file,
      objects: file.objects.filter(({ loaded }) => !replaced.has(loaded.key)),
    }))
    this.#files = [...kept, ...added]
    if (this.#assembler.update(this.#files)) this.#listeners.call(this.#assembler.current)
  }

  close(): void {
    this.#listeners.clear()
  }
}

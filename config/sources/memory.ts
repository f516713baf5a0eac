import { Assembler } from '../assemble.ts'
import { type LoadedFile, loadFile } from '../load.ts'
import type { ConfigSnapshot, ConfigSource } from '../store.ts'
import { Listeners } from './listeners.ts'

/** Configuration that is given as text: for tests, and for callers that already have it. */
export class MemorySource implements ConfigSource {
  readonly #files = new Map<string, LoadedFile>()
  readonly #assembler = new Assembler()
  readonly #listeners = new Listeners()

  /** `files`: name -> YAML or JSON text. Later names override earlier ones, in the order of the names. */
  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [file, text] of Object.entries(files)) this.#files.set(file, loadFile(file, text))
    this.#update()
  }

  current(): ConfigSnapshot {
    return this.#assembler.current
  }

  onChange(listener: (snapshot: ConfigSnapshot) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Gives a file its text, in place of what it had. */
  set(file: string, text: string): void {
    this.#files.set(file, loadFile(file, text, this.#files.get(file)))
    this.#update()
  }

  delete(file: string): void {
    this.#files.delete(file)
    this.#update()
  }

  close(): void {
    this.#listeners.clear()
  }

  #update(): void {
    const names = [...this.#files.keys()].sort()
    const files = names.flatMap((name) => this.#files.get(name) ?? [])
    if (this.#assembler.update(files)) this.#listeners.call(this.#assembler.current)
  }
}

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The built file of this checkout; the bench itself runs as `dist/bench/main.js`. */
export function distFile(name: string): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', name)
}

import { env } from '../lib/env.ts'
import type { Finding } from './finding.ts'
import { loadFile } from './load.ts'

/** Helpers for the tests of this room. */

/** `[code, line, message]` of all that is wrong with a text. */
export function problemsOf(text: string): [string, number, string][] {
  return loadFile('test.yaml', text).findings.map(({ code, line, message }) => [code, line, message])
}

/** An object of networking.istio.io whose spec, in YAML, begins on line 5. */
export function networking(kind: string, spec: string, name = 'x'): string {
  const indented = spec.replace(/^(?=.)/gm, '  ')
  return `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec:\n${indented}\n`
}

export function codes(findings: readonly Finding[]): string[] {
  return findings.map((finding) => finding.code)
}

/** Waits until `check` passes, for what the operating system does in its own time. Gives up with its last error. */
export async function eventually(check: () => void): Promise<void> {
  const patienceMs = Number(env('LATEEN_TEST_PATIENCE_MS'))
  const stepMs = 10
  for (let waitedMs = 0; ; waitedMs += stepMs) {
    try {
      check()
      return
    } catch (thrown) {
      if (waitedMs >= patienceMs) throw thrown
    }
    await new Promise((resolve) => setTimeout(resolve, stepMs))
  }
}

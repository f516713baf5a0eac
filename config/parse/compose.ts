import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import type { Code } from '../codes.ts'
import type { LineTree } from './lines.ts'

/** Nesting of maps and lists, aliases followed. Real objects stay under 30. */
export const MAX_DEPTH = 100
/** Values in one document, counted as if every alias were written out. */
export const MAX_VALUES = 1_000_000
const MAX_PROBLEMS = 10

export interface ComposeProblem {
  code: Code
  /** From 1, counted from the first line of the text. */
  line: number
  message: string
}

export type Composed =
  | { ok: true; value: unknown; lines: LineTree }
  | { ok: false; problems: readonly ComposeProblem[] }

class Refusal extends Error {
  readonly problem: ComposeProblem

  constructor(code: Code, line: number, message: string) {
    super(message)
    this.problem = { code, line, message }
  }
}

/**
 * One document as frozen plain data with the lines of its parts. Scalars are read as Kubernetes reads them (YAML 1.1
 * without its dates, base 60 numbers and sets), merge keys are merged, null keys and values of other types become the
 * text they are written as. Never throws.
 */
export function composeDocument(text: string): Composed {
  const composed = compose(text)
  return composed.ok || !MAY_BE_SECRET.test(text) ? composed : { ok: false, problems: composed.problems.map(untold) }
}

/** A document that cannot be read may still say what it was meant to be. */
const MAY_BE_SECRET = /\bkind["']?\s*:\s*["']?Secret/

/** The reader's messages quote what it stumbled over. */
function untold({ code, line }: ComposeProblem): ComposeProblem {
  return { code, line, message: 'cannot be read as YAML; why is not said, since it seems to be a Secret' }
}

function compose(text: string): Composed {
  const lineCounter = new LineCounter()
  try {
    const tokens = [...new Parser(lineCounter.addNewLine).parse(text)]
    const deepAt = tooDeep(tokens)
    if (deepAt !== undefined) {
      throw new Refusal('LTN0002', lineOfOffset(lineCounter, deepAt), `nested deeper than ${MAX_DEPTH} levels`)
    }
    const documents = [...composer().compose(tokens, true, text.length)]
    const problems = documents.flatMap((document) => problemsOf(document, lineCounter))
    if (problems.length > 0) return { ok: false, problems: problems.slice(0, MAX_PROBLEMS) }
    const contents = documents[0]?.contents ?? null
    const { value, lines } = new Converter(lineCounter).convert(contents, 0, 1)
    return { ok: true, value, lines }
  } catch (thrown) {
    if (thrown instanceof Refusal) return { ok: false, problems: [thrown.problem] }
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return { ok: false, problems: [{ code: 'LTN0001', line: 1, message: `cannot be read as YAML: ${message}` }] }
  }
}

/** Tags of YAML 1.1 that Kubernetes' reader leaves as text. */
const DROPPED_TAGS = new Set(['binary', 'omap', 'pairs', 'set', 'timestamp'].map((name) => `tag:yaml.org,2002:${name}`))

function composer(): Composer {
  return new Composer({
    version: '1.1',
    schema: 'yaml-1.1',
    prettyErrors: false,
    logLevel: 'silent',
    // The reader's own check takes quadratic time; Converter has a better one.
    uniqueKeys: false,
    customTags: (tags) =>
      tags.filter((tag) => typeof tag === 'string' || !(DROPPED_TAGS.has(tag.tag) || tag.format === 'TIME')),
  })
}

function lineOfOffset(lineCounter: LineCounter, offset: number): number {
  return Math.max(1, lineCounter.linePos(offset).line)
}

function problemsOf(document: Document, lineCounter: LineCounter): ComposeProblem[] {
  return [...document.errors, ...document.warnings].map((error) => ({
    code: 'LTN0001',
    line: lineOfOffset(lineCounter, error.pos[0]),
    message: error.message,
  }))
}

/**
 * The offset of the first thing nested too deep. The composer is recursive, and a regular expression that V8 compiles
 * at the end of its stack ends the process, so depth must be known before.
 */
function tooDeep(tokens: readonly CST.Token[]): number | undefined {
  const stack: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { token, depth } = next
    if (depth > MAX_DEPTH) return token.offset
    if (token.type === 'document' && token.value) stack.push({ token: token.value, depth })
    if (!('items' in token)) continue
    for (const item of token.items) {
      if (item.key) stack.push({ token: item.key, depth: depth + 1 })
      if (item.value) stack.push({ token: item.value, depth: depth + 1 })
    }
  }
  return undefined
}

interface Converted {
  value: unknown
  lines: LineTree
  /** Levels below and values within, aliases followed. */
  height: number
  size: number
}

interface Entry {
  line: number
  converted: Converted
}

class Converter {
  readonly #lineCounter: LineCounter
  readonly #anchors = new Map<string, Converted>()

  constructor(lineCounter: LineCounter) {
    this.#lineCounter = lineCounter
  }

  convert(node: unknown, depth: number, parentLine: number): Converted {
    if (isAlias(node)) return this.#alias(node, depth)
    let converted: Converted
    if (isMap(node)) converted = this.#map(node, depth)
    else if (isSeq(node)) converted = this.#seq(node, depth)
    else if (isScalar(node)) {
      const value = node.value
      const plain = value === null || ['string', 'number', 'boolean'].includes(typeof value)
      converted = {
        value: plain ? value : (node.source ?? ''),
        lines: this.#lineOf(node, parentLine),
        height: 0,
        size: 1,
      }
    } else converted = { value: null, lines: parentLine, height: 0, size: 1 }
    this.#limit(converted, depth)
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined
    if (anchor !== undefined) this.#anchors.set(anchor, converted)
    return converted
  }

  #lineOf(node: Node, fallback: number): number {
    return node.range ? lineOfOffset(this.#lineCounter, node.range[0]) : fallback
  }

  #limit(converted: Converted, depth: number): void {
    const line = typeof converted.lines === 'number' ? converted.lines : converted.lines.line
    if (depth + converted.height > MAX_DEPTH)
      throw new Refusal('LTN0002', line, `nested deeper than ${MAX_DEPTH} levels`)
    if (converted.size > MAX_VALUES) {
      throw new Refusal('LTN0002', line, `more than ${MAX_VALUES} values once its aliases are followed`)
    }
  }

  #alias(node: Alias, depth: number): Converted {
    const target = this.#anchors.get(node.source)
    if (target === undefined) {
      throw new Refusal('LTN0001', this.#lineOf(node, 1), `alias *${node.source} has no anchor before it`)
    }
    this.#limit(target, depth)
    return target
  }

  #seq(node: YAMLSeq, depth: number): Converted {
    const line = this.#lineOf(node, 1)
    const items = node.items.map((item) => this.convert(item, depth + 1, line))
    return {
      value: Object.freeze(items.map((item) => item.value)),
      lines: { line, children: items.map((item) => item.lines) },
      ...this.#measure(items),
    }
  }

  #map(node: YAMLMap, depth: number): Converted {
    const line = this.#lineOf(node, 1)
    const own = new Map<string, Entry>()
    const merged = new Map<string, Entry>()
    for (const pair of node.items) this.#pair(pair, depth, line, own, merged)
    for (const [key, entry] of merged) if (!own.has(key)) own.set(key, entry)
    const children = new Map<string, LineTree>()
    for (const [key, { line: keyLine, converted }] of own) {
      children.set(
        key,
        typeof converted.lines === 'number' ? keyLine : { line: keyLine, children: converted.lines.children },
      )
    }
    const entries = [...own.values()].map((entry) => entry.converted)
    return {
      // fromEntries defines own properties, so that a key such as __proto__ is a key like any other.
      value: Object.freeze(Object.fromEntries([...own].map(([key, entry]) => [key, entry.converted.value]))),
      lines: { line, children },
      ...this.#measure(entries),
    }
  }

  #pair(pair: Pair, depth: number, mapLine: number, own: Map<string, Entry>, merged: Map<string, Entry>): void {
    const keyNode = pair.key
    const line = isScalar(keyNode) || isAlias(keyNode) ? this.#lineOf(keyNode, mapLine) : mapLine
    if (isScalar(keyNode) && keyNode.source === '<<' && (keyNode.type ?? Scalar.PLAIN) === Scalar.PLAIN) {
      this.#merge(pair.value, depth, line, merged)
      return
    }
    const key = this.#key(keyNode, line)
    if (own.has(key)) throw new Refusal('LTN0001', line, `key "${key}" is given twice`)
    own.set(key, { line, converted: this.convert(pair.value, depth + 1, line) })
  }

  #key(node: unknown, line: number): string {
    if (isScalar(node)) {
      // Registers the anchor, if the key has one.
      this.convert(node, 0, line)
      if (typeof node.value === 'string') return node.value
      return node.source ?? String(node.value)
    }
    if (isAlias(node)) {
      const { value } = this.#alias(node, 0)
      if (value === null || typeof value !== 'object') return String(value)
    }
    if (node === null) return ''
    throw new Refusal('LTN0001', line, 'a key must be a scalar')
  }

  /** `<<: *a` or `<<: [*a, *b]`: the earlier of several wins, and the map's own keys win over all. */
  #merge(node: unknown, depth: number, line: number, merged: Map<string, Entry>): void {
    const source = this.convert(node, depth + 1, line)
    const from = (value: unknown, lines: LineTree) => {
      if (value === null || typeof value !== 'object' || Array.isArray(value) || typeof lines === 'number') {
        throw new Refusal('LTN0001', line, 'a merge key needs a map or a list of maps')
      }
      // The size of the whole source is counted once, its height for each: upper bounds, and cheap.
      let size = source.size
      for (const [key, child] of Object.entries(value)) {
        if (merged.has(key)) continue
        const childLines = (lines.children as ReadonlyMap<string, LineTree>).get(key) ?? line
        const childLine = typeof childLines === 'number' ? childLines : childLines.line
        merged.set(key, {
          line: childLine,
          converted: { value: child, lines: childLines, height: Math.max(0, source.height - 1), size },
        })
        size = 0
      }
    }
    if (Array.isArray(source.value) && typeof source.lines !== 'number') {
      const itemLines = source.lines.children as readonly LineTree[]
      source.value.forEach((item, index) => {
        from(item, itemLines[index] ?? line)
      })
    } else from(source.value, source.lines)
  }

  #measure(parts: readonly Converted[]): { height: number; size: number } {
    let height = 0
    let size = 1
    for (const part of parts) {
      if (part.height + 1 > height) height = part.height + 1
      size += part.size
    }
    return { height, size }
  }
}

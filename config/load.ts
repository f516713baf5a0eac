import { createHash } from 'node:crypto'
import { CODES, type Code } from './codes.ts'
import type { Finding, ObjectRef, Severity } from './finding.ts'
import { type ObjectMeta, objectKey } from './object.ts'
import { composeDocument } from './parse/compose.ts'
import { type LineTree, lineAt } from './parse/lines.ts'
import { objectsOf, type PlainObject, type RawObject } from './parse/objects.ts'
import { splitDocuments } from './parse/split.ts'
import { isSuppressed } from './suppress.ts'
import { judgeKind } from './unknown-kind.ts'
import { standInFor } from './validate/stand-in.ts'
import { validateBody } from './validate/validate.ts'

/** Larger files are refused unread. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024

/** One object as judged, wherever it lies: lines count within its document. */
export interface LoadedObject {
  readonly apiVersion: string
  readonly ref: ObjectRef
  /** Of `ref`, as objectKey() makes it. */
  readonly key: string
  readonly metadata: ObjectMeta
  readonly body: PlainObject
  readonly lines: LineTree
  /** False: it is refused, and may still be known in an earlier version. */
  readonly valid: boolean
  /** Of one that is refused: the body that is in force when no earlier version is known. */
  readonly standIn: PlainObject | undefined
}

interface LoadedFinding {
  readonly code: Code
  readonly severity: Severity
  readonly ref: ObjectRef
  readonly line: number
  readonly message: string
}

/** What one document says, whatever file and line it lies at: so it is kept by its content. */
interface LoadedDocument {
  readonly objects: readonly LoadedObject[]
  readonly findings: readonly LoadedFinding[]
  /** False: it is no YAML, so nobody knows which objects it holds. */
  readonly readable: boolean
}

interface PlacedDocument {
  readonly hash: string
  readonly firstLine: number
  readonly document: LoadedDocument
  /** The same objects with their place; kept with the document, so that they are the same for as long as it is. */
  readonly placed: readonly PlacedObject[]
}

export interface PlacedObject {
  readonly loaded: LoadedObject
  readonly file: string
  /** Of its document. A line within the document counts from there. */
  readonly firstLine: number
}

/** What one file says. */
export interface LoadedFile {
  readonly file: string
  readonly objects: readonly PlacedObject[]
  readonly findings: readonly Finding[]
  /** False: part of the file cannot be read, so objects that are missing from it may still be meant. */
  readonly readable: boolean
  readonly documents: readonly PlacedDocument[]
}

const NO_OBJECT: ObjectRef = { kind: '', namespace: '', name: '' }

/**
 * Reads a file of YAML or JSON documents. Documents that `previous` (the same file, earlier) already had are taken
 * from there. Never throws: what is wrong is in the findings.
 */
export function loadFile(file: string, text: string, previous?: LoadedFile): LoadedFile {
  const known = new Map<string, LoadedDocument>()
  const knownPlaces = new Map<string, PlacedDocument>()
  for (const document of previous?.documents ?? []) {
    known.set(document.hash, document.document)
    knownPlaces.set(placeKey(document.hash, document.firstLine), document)
  }
  const documents = splitDocuments(text).map(({ text: part, firstLine }) => {
    const hash = createHash('sha256').update(part).digest('base64')
    const unmoved = knownPlaces.get(placeKey(hash, firstLine))
    if (unmoved !== undefined) return unmoved
    const document = known.get(hash) ?? loadDocument(part)
    return { hash, firstLine, document, placed: document.objects.map((loaded) => ({ loaded, file, firstLine })) }
  })
  return fileOf(file, documents)
}

function placeKey(hash: string, firstLine: number): string {
  return `${firstLine} ${hash}`
}

function fileOf(file: string, documents: readonly PlacedDocument[]): LoadedFile {
  return {
    file,
    documents,
    objects: documents.flatMap((document) => document.placed),
    findings: documents.flatMap(({ document, firstLine }) =>
      document.findings.map(({ code, severity, ref, line, message }) => ({
        code,
        severity,
        object: ref,
        file,
        line: firstLine + line - 1,
        message,
      })),
    ),
    readable: documents.every(({ document }) => document.readable),
  }
}

/** Stands for a file that is not read at all, because it is too large, say. What `previous` knew serves a later reading. */
export function unreadableFile(file: string, code: Code, message: string, previous?: LoadedFile): LoadedFile {
  const findings = [{ code, severity: CODES[code].severity, object: NO_OBJECT, file, line: 0, message }]
  return { file, documents: previous?.documents ?? [], objects: [], findings, readable: false }
}

function loadDocument(text: string): LoadedDocument {
  const composed = composeDocument(text)
  if (!composed.ok) {
    const findings = composed.problems.map(({ code, line, message }) => finding(code, NO_OBJECT, line, message))
    return { objects: [], findings, readable: false }
  }
  const objects: LoadedObject[] = []
  const findings: LoadedFinding[] = []
  for (const raw of objectsOf(composed.value, composed.lines)) {
    if ('kind' in raw) loadObject(raw, objects, findings)
    else findings.push(finding('LTN0104', NO_OBJECT, raw.line, 'has no apiVersion and kind, and is passed over'))
  }
  return { objects, findings, readable: true }
}

function loadObject(raw: RawObject, objects: LoadedObject[], findings: LoadedFinding[]): void {
  const { apiVersion, kind, metadata, report, lines } = raw
  const ref: ObjectRef = Object.freeze({ kind, namespace: metadata.namespace, name: metadata.name })
  const verdict = judgeKind(apiVersion, kind)
  if (!verdict.take) {
    if (verdict.reason !== undefined && !isSuppressed(metadata.annotations, 'LTN0102')) {
      findings.push(finding('LTN0102', ref, lineAt(lines, []), verdict.reason))
    }
    return
  }
  const body = validateBody(verdict.info, raw.body, report)
  for (const { code, severity, path, message } of report.problems) {
    if (severity !== 'error' && isSuppressed(metadata.annotations, code)) continue
    findings.push({ code, severity, ref, line: lineAt(lines, path), message })
  }
  if (metadata.name === '') return
  const valid = !report.hasErrors
  const standIn = valid ? undefined : standInFor(kind, raw.body)
  objects.push({ apiVersion, ref, key: objectKey(ref), metadata, body, lines, valid, standIn })
}

function finding(code: Code, ref: ObjectRef, line: number, message: string): LoadedFinding {
  return { code, severity: CODES[code].severity, ref, line, message }
}

import type { Finding } from '../finding.ts'
import type { ConfigObject } from '../object.ts'
import type { ConfigSnapshot } from '../store.ts'
import { ANALYZERS } from './builtin.ts'
import { AnalysisContext, type AnalysisOptions } from './context.ts'

/**
 * What is wrong with valid objects when they are looked at together, by file, line and code. Findings that an object
 * waives with its annotation `galley.istio.io/analyze-suppress` are left out.
 */
export function analyze(objects: readonly ConfigObject[], options: AnalysisOptions = {}): Finding[] {
  const context = new AnalysisContext(objects, options)
  for (const analyzer of ANALYZERS) analyzer.analyze(context)
  return sortFindings(context.findings)
}

/** All findings about a snapshot: those of its source, and those of looking at its objects together. */
export function analyzeSnapshot(snapshot: ConfigSnapshot, options: AnalysisOptions = {}): Finding[] {
  return sortFindings([...snapshot.findings, ...analyze(snapshot.objects, options)])
}

export function sortFindings(findings: readonly Finding[]): Finding[] {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  return [...findings].sort(
    (a, b) => order(a.file, b.file) || a.line - b.line || order(a.code, b.code) || order(a.message, b.message),
  )
}

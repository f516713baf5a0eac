import type { Code } from '../codes.ts'
import type { AnalysisContext } from './context.ts'

/** Looks at all objects together for one sort of mistake. */
export interface Analyzer {
  readonly name: string
  /** The codes that it may report. */
  readonly codes: readonly Code[]
  analyze(context: AnalysisContext): void
}

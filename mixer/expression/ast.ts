import type { Value, ValueType } from '../attributes/value.ts'

export type BinaryOperator = '||' | '&&' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '|'

/** An expression as it is written. `at` counts characters from 1. */
export type Node =
  | {
      readonly kind: 'literal'
      readonly type: ValueType
      readonly value: Value
      readonly text: string
      readonly at: number
    }
  | { readonly kind: 'attribute'; readonly name: string; readonly at: number }
  | { readonly kind: 'index'; readonly map: Node; readonly key: Node; readonly at: number }
  /** A method has a target. */
  | {
      readonly kind: 'call'
      readonly name: string
      readonly target: Node | undefined
      readonly args: readonly Node[]
      readonly at: number
    }
  | {
      readonly kind: 'binary'
      readonly operator: BinaryOperator
      readonly left: Node
      readonly right: Node
      readonly at: number
    }

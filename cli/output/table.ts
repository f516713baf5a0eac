export interface Column<Row> {
  header: string
  value: (row: Row) => string
  /** Numbers are set to the right. */
  alignRight?: boolean
}

/** A plain table: upper-case headers, three spaces between columns, nothing after the last. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => column.value(row) || '-'))
  const widths = columns.map((column, i) =>
    Math.max(column.header.length, ...cells.map((row) => (row[i] as string).length)),
  )
  const line = (values: readonly string[]) =>
    values
      .map((value, i) =>
        columns[i]?.alignRight ? value.padStart(widths[i] as number) : value.padEnd(widths[i] as number),
      )
      .join('   ')
      .trimEnd()
  return `${[columns.map((column) => column.header.toUpperCase()), ...cells].map(line).join('\n')}\n`
}

/** Which namespaces see an object: all of them, or these. */
export type Visibility = '*' | readonly string[]

/** Reads an `exportTo` list: `.` the own namespace, `*` all, `~` none, else names. Absent: the mesh's default. */
export function parseExportTo(
  exportTo: readonly string[] | undefined,
  ownNamespace: string,
  fallback: readonly string[],
): Visibility {
  const values = exportTo === undefined || exportTo.length === 0 ? fallback : exportTo
  if (values.includes('*')) return '*'
  return values.filter((value) => value !== '~').map((value) => (value === '.' ? ownNamespace : value))
}

export function isVisible(visibility: Visibility, namespace: string): boolean {
  return visibility === '*' || visibility.includes(namespace)
}

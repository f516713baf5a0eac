let current = ''

/**
 * Compiles a resource under its name. What filters count over all threads belongs to one resource: every thread compiles for itself,
 * and finds by the name and the field path that they mean the same.
 */
export function compilingResource<T>(name: string, compile: () => T): T {
  const outer = current
  current = outer === '' ? name : outer
  try {
    return compile()
  } finally {
    current = outer
  }
}

export function resourceBeingCompiled(): string {
  return current
}

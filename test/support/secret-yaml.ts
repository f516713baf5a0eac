/** A Secret of Kubernetes with these texts. */
export function secretYaml(name: string, texts: Readonly<Record<string, string>>, namespace = 'default'): string {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
  )
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', data })}\n---\n`
}

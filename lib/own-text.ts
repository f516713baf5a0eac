/**
 * The same text in memory of its own. A part of another text keeps all of that alive, such as the head of a request: what is kept for
 * longer than the request, and for strangers, is copied first.
 */
export function ownText(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string
}

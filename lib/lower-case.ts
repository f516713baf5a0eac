/** The text in lower case (ASCII decides whether it is already). Few names and hosts have capitals, and making them small makes another text. */
export function lowerCase(text: string): string {
  return hasCapitals(text) ? text.toLowerCase() : text
}

export function hasCapitals(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 65 && code <= 90) return true
  }
  return false
}

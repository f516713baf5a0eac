// What an endpoint answers, so that whoever asks can tell whether all of it came.
export const BODY_BYTES = 8192

export function bodyFor(path) {
  return Buffer.alloc(BODY_BYTES, `${path}\n`, 'latin1')
}

/** What decoding a header block can end with other than 0. */
export const HPACK_ERROR = {
  /** The block is not HPACK, and the tables are out of step: a connection error COMPRESSION_ERROR (RFC 9113 4.3). */
  compression: 1,
  /** The list is over a bound of ours; the table is in step and the connection lives on. */
  tooLarge: 2,
  /** A name or value holds what no field may (RFC 9113 8.2.1); the table is in step and the connection lives on. */
  malformed: 3,
} as const

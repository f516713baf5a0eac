import { STATUS_CODES } from 'node:http'
import type { ResponseFlag } from '../../api/response-flags.ts'

/**
 * Why a message was refused, by Envoy's response code details where Envoy has one. The parser returns these instead of
 * throwing: bad bytes are expected.
 */
export interface HeadError {
  readonly detail: string
  readonly status: number
  /** Of the access log. */
  readonly flag: ResponseFlag | ''
  /** What a client is told: the status in words. */
  readonly body: string
}

const error = (detail: string, status = 400, flag: HeadError['flag'] = 'DPE'): HeadError =>
  Object.freeze({ detail, status, flag, body: STATUS_CODES[status] ?? '' })

export const HEAD_ERROR = {
  codec: error('http1.codec_error'),
  invalidCharacters: error('http1.invalid_characters'),
  headersTooLarge: error('http1.headers_too_large', 431),
  tooManyHeaders: error('http1.too_many_headers', 431),
  invalidUrl: error('http1.invalid_url'),
  invalidScheme: error('http1.invalid_scheme'),
  httpsOnPlaintext: error('http1.https_url_on_plaintext_connection', 403),
  versionNotSupported: error('http1.version_not_supported', 505),
  lowVersion: error('low_version', 426),
  invalidTransferEncoding: error('http1.invalid_transfer_encoding', 501),
  lengthAndChunked: error('http1.content_length_and_chunked_not_allowed'),
  contentLengthInvalid: error('http1.content_length_not_allowed'),
  transferEncodingNotAllowed: error('http1.transfer_encoding_not_allowed'),
  missingHost: error('missing_host_header', 400, ''),
  duplicateHost: error('http1.duplicate_host'),
  invalidHost: error('request_headers_failed_strict_check'),
  connectionHeaderRejected: error('http1.connection_header_rejected'),
  expectationFailed: error('http1.expectation_failed', 417),
  chunkInvalid: error('http1.chunk_invalid'),
  trailersInvalid: error('http1.trailers_invalid'),
  headerTimeout: error('request_header_timeout', 408, ''),
  requestTimeout: error('request_overall_timeout', 408, ''),
} as const

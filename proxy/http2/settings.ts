import {
  DEFAULT_WINDOW_BYTES,
  ERROR_CODE,
  MAX_MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  MIN_MAX_FRAME_BYTES,
  SETTING,
} from './frame.ts'

/** What the peer has said of itself (RFC 9113 section 6.5.2, RFC 8441 section 3). */
export class PeerSettings {
  headerTableBytes = 4096
  maxConcurrentStreams = Number.POSITIVE_INFINITY
  initialWindowBytes = DEFAULT_WINDOW_BYTES
  maxFrameBytes = MIN_MAX_FRAME_BYTES
  takesExtendedConnect = false

  /** Takes one setting over. Returns 0, or the code of a connection error. Unknown ones are passed over. */
  apply(id: number, value: number, fromServer: boolean): number {
    switch (id) {
      case SETTING.headerTableSize:
        this.headerTableBytes = value
        return 0
      case SETTING.enablePush:
        // Only a client may allow pushes; we never push.
        return value > 1 || (fromServer && value === 1) ? ERROR_CODE.protocolError : 0
      case SETTING.maxConcurrentStreams:
        this.maxConcurrentStreams = value
        return 0
      case SETTING.initialWindowSize:
        if (value > MAX_WINDOW_BYTES) return ERROR_CODE.flowControlError
        this.initialWindowBytes = value
        return 0
      case SETTING.maxFrameSize:
        if (value < MIN_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) return ERROR_CODE.protocolError
        // Longer frames would only have to be put together by the peer.
        this.maxFrameBytes = Math.min(value, MIN_MAX_FRAME_BYTES)
        return 0
      case SETTING.enableConnectProtocol:
        if (value > 1 || (this.takesExtendedConnect && value === 0)) return ERROR_CODE.protocolError
        this.takesExtendedConnect = value === 1
        return 0
      default:
        return 0
    }
  }
}

import { expect, test } from '@jest/globals'
import { protocolOfPort } from './protocol.ts'

test.each([
  [{ name: 'http' }, 'HTTP'],
  [{ name: 'HTTP-web' }, 'HTTP'],
  [{ name: 'http2-x' }, 'HTTP2'],
  [{ name: 'grpc-web' }, 'GRPC-Web'],
  [{ name: 'grpc-web-x' }, 'GRPC-Web'],
  [{ name: 'grpc-webby' }, 'GRPC'],
  [{ name: 'web' }, 'TCP'],
  [{ name: 'httpx' }, 'TCP'],
  [{}, 'TCP'],
  [{ name: 'tcp', appProtocol: 'http' }, 'HTTP'],
  [{ name: 'http', appProtocol: 'kubernetes.io/h2c' }, 'HTTP2'],
  [{ name: 'http', appProtocol: 'example.com/unknown' }, 'HTTP'],
  [{ name: 'http', protocol: 'UDP' }, 'UDP'],
])('%j is %s', (port, protocol) => {
  expect(protocolOfPort(port)).toBe(protocol)
})

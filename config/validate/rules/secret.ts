import type { SecretBody } from '../../../crds/kinds/secret.ts'
import type { Report } from '../../report.ts'

/** What Go's decoder takes. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The answer of an OCSP server, to be shown with the certificate. */
const STAPLE = 'tls.ocsp-staple'

/** No message says a word of what a Secret holds. */
export function checkSecret({ data = {}, stringData = {} }: SecretBody, report: Report): void {
  for (const [key, value] of Object.entries(data)) {
    if (!BASE64.test(value.replace(/[\r\n]/g, ''))) report.error(['data', key], 'is not base64')
  }
  for (const [field, values] of Object.entries({ data, stringData })) {
    if (values[STAPLE] !== undefined) report.add('LTN0101', [field, STAPLE], 'has no effect: staples are not sent yet')
  }
}

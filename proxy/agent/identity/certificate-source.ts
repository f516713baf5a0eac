/** Where a workload's certificates come from. */
export interface CertificateSource {
  /**
   * A certificate for the key of this signing request, PEM, from the workload's own to the root. Rejects with CA_UNREACHABLE or
   * CA_REFUSED; `abort` gives the request up.
   */
  sign(csr: string, abort: AbortSignal): Promise<readonly string[]>
}

import { MemorySource } from '../../config/sources/memory.ts'
import { silentLogger } from '../../lib/log.ts'
import { Mixer } from '../../mixer/mixer.ts'
import type { AdmissionOptions } from '../../mixer/services/admission.ts'
import { MixerServer } from '../../mixer/services/server.ts'

/** A mixer that listens, with configuration that is given as text. */
export class MixerProcess {
  readonly source: MemorySource
  readonly mixer: Mixer
  readonly server: MixerServer
  port = 0

  constructor(files: Readonly<Record<string, string>>, options: AdmissionOptions = {}) {
    this.source = new MemorySource(files)
    this.mixer = new Mixer({ source: this.source, log: silentLogger })
    this.server = new MixerServer(this.mixer, options)
  }

  async listen(): Promise<number> {
    this.port = await this.server.listen('127.0.0.1:0')
    return this.port
  }

  async close(): Promise<void> {
    await this.server.close(0)
    await this.mixer.close()
  }
}

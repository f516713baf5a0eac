import { realpathSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '../../lib/clock.ts'
import type { CliCommand } from '../command.ts'
import { BookinfoMesh } from '../demo/bookinfo-mesh.ts'
import { pause } from '../demo/http.ts'
import { SampleFiles } from '../demo/sample-files.ts'

interface DemoFlags {
  once?: true
}

export const command: CliCommand = {
  register(program: Command): void {
    program
      .command('demo')
      .description('run Bookinfo in a mesh on this machine, and release a new version of one service under load')
      .option('--once', 'end after the release; exit 1 when a step of it failed')
      .action(run)
  },
}

async function run(flags: DemoFlags): Promise<void> {
  const entry = realpathSync(process.argv[1] as string)
  const startedMs = systemClock.nowMs()
  const mesh = await BookinfoMesh.prepare(entry, new SampleFiles(entry))
  process.on('exit', () => mesh.kill())
  try {
    await mesh.start()
    console.log(
      `up after ${Math.round(systemClock.nowMs() - startedMs)} ms: http://127.0.0.1:${mesh.gateway.port}/productpage ${mesh.folder}`,
    )
    await Promise.race([mesh.failed, pause(flags.once ? 5000 : 1e8)])
  } finally {
    await mesh.stop()
  }
}

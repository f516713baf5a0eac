import type { Command } from 'commander'
import { back, type RotateOptions, rotate, type StepOptions } from '../certs/rotate.ts'
import { showCertificates } from '../certs/show.ts'
import type { CliCommand } from '../command.ts'

interface StatusFlags {
  pilot: string[]
  json?: true
}

const PILOT = ['--pilot <host:port...>', 'HTTP address of each pilot of the mesh'] as const
const DEFAULT_PILOT = ['127.0.0.1:15014']

export const command: CliCommand = {
  register(program: Command): void {
    const certs = program
      .command('certs')
      .description('the mesh’s certificate authority, and how to change it')
      .exitOverride()
    certs
      .command('status')
      .description('who signs, what is trusted, and which proxy has come how far')
      .option(...PILOT, DEFAULT_PILOT)
      .option('--json', 'print the state as JSON')
      .action((flags: StatusFlags) => showCertificates(flags.pilot, flags.json === true))
    certs
      .command('rotate')
      .description('change the authority, root and all, step by step; none is taken before it is proven to be safe')
      .requiredOption('--ca-dir <dir>', 'the folder of the authority, which every pilot reads')
      .option(...PILOT, DEFAULT_PILOT)
      .option('--from <dir>', "the new authority (files as in Istio's cacerts); without it a new root is made")
      .option('--trust-domain <domain>', 'whose new root it is', 'cluster.local')
      .option('--wait-s <seconds>', 'how long each step waits for its proof', Number, 60)
      .action((flags: RotateOptions) => rotate(flags, say))
    certs
      .command('back')
      .description('take a rotation one step back')
      .requiredOption('--ca-dir <dir>', 'the folder of the authority, which every pilot reads')
      .option(...PILOT, DEFAULT_PILOT)
      .option('--wait-s <seconds>', 'how long to wait for the proof that it is safe', Number, 60)
      .action((flags: StepOptions) => back(flags, say))
  },
}

function say(line: string): void {
  console.log(line)
}

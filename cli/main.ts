#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { errorText, MeshError } from '../lib/errors.ts'
import { VERSION } from '../lib/version.ts'
import type { CliCommand } from './command.ts'
import { CliError, EXIT } from './exit.ts'
import { beginSmallStart } from './small-start.ts'

/** Every verb. Only the one that is asked for is loaded, so that each starts as fast as it can. */
const COMMANDS: Record<string, () => Promise<{ command: CliCommand }>> = {
  agent: () => import('./commands/agent.ts'),
  analyze: () => import('./commands/analyze.ts'),
  authz: () => import('./commands/authz.ts'),
  certs: () => import('./commands/certs.ts'),
  demo: () => import('./commands/demo.ts'),
  explain: () => import('./commands/explain.ts'),
  mixer: () => import('./commands/mixer.ts'),
  pilot: () => import('./commands/pilot.ts'),
  proxy: () => import('./commands/proxy.ts'),
  'proxy-config': () => import('./commands/proxy-config.ts'),
  'proxy-status': () => import('./commands/proxy-status.ts'),
  simulate: () => import('./commands/simulate.ts'),
}

const ALIASES: Record<string, string> = { pc: 'proxy-config', ps: 'proxy-status' }

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command('lateen')
    .description('A sidecar service mesh: Istio YAML in, Envoy xDS between pilot and proxies, every decision explained')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError()
  const verb = argv.slice(2).find((word) => !word.startsWith('-')) ?? ''
  const wanted = COMMANDS[ALIASES[verb] ?? verb] === undefined ? Object.keys(COMMANDS) : [ALIASES[verb] ?? verb]
  if (verb === 'proxy') beginSmallStart()
  for (const name of wanted) {
    const { command } = await (COMMANDS[name] as () => Promise<{ command: CliCommand }>)()
    command.register(program)
  }
  for (const command of program.commands) command.exitOverride()
  await program.parseAsync([...argv])
}

try {
  await main(process.argv)
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
  else if (thrown instanceof CliError) {
    console.error(thrown.message)
    process.exitCode = thrown.exitCode
  } else if (thrown instanceof MeshError) {
    console.error(thrown.message)
    process.exitCode = thrown.source === 'config' ? EXIT.badInput : EXIT.internal
  } else {
    console.error(thrown instanceof Error ? thrown.stack : errorText(thrown))
    process.exitCode = EXIT.internal
  }
}

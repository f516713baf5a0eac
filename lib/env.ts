/** Every environment variable that Lateen reads: name, default and meaning. The only door to process.env. */
export const ENVIRONMENT = {
  LATEEN_LOG_LEVEL: { default: 'info', doc: 'debug, info, warning, error or off' },
  NO_COLOR: { default: '', doc: 'any value turns colour off (no-color.org)' },
  LATEEN_PROPAGATE_HEADERS: {
    default: '',
    doc: 'names of further headers that lateen/propagate hands on, with commas',
  },
  CI: { default: '', doc: 'set by continuous integration: an absent peer then fails its suite instead of skipping it' },
  npm_command: { default: '', doc: 'set by npm and npx: the demo then ends when they do' },
  LATEEN_TEST_PATIENCE_MS: { default: '10000', doc: 'how long a test waits for something that must happen' },
  LATEEN_TEST_SEED: { default: '', doc: 'seed of the property and differential tests; printed by each run' },
  LATEEN_ISTIO_SAMPLES: { default: '', doc: "folder of Istio's own samples, to test on those instead of ours" },
  LATEEN_PEERS_DIR: { default: '', doc: 'folder of the test peers (envoy); default .peers in the repository' },
  LATEEN_BENCH_ROUNDS: { default: '5', doc: 'rounds of each case of the data path bench, after the one that warms up' },
  LATEEN_BENCH_SECONDS: { default: '4', doc: 'seconds of load in each of these rounds' },
  LATEEN_BENCH_BEFORE: {
    default: '',
    doc: 'another checkout, built, that the data path and pilot benches measure beside this one',
  },
} as const

export type EnvironmentName = keyof typeof ENVIRONMENT

export function env(name: EnvironmentName): string {
  return process.env[name] ?? ENVIRONMENT[name].default
}

/** A variable that a configuration asks for by its name, as %ENVIRONMENT(HOME)% of access logs. */
export function configuredEnv(name: string): string | undefined {
  return process.env[name]
}

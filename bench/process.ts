import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'

/** Kernel clock ticks a second, in which /proc counts CPU time. */
const TICKS = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100
const hasTaskset = spawnSync('taskset', ['--version']).status === 0

/** A program under test, pinned to one core when the system can. */
export function start(command: string, args: readonly string[], core: number): ChildProcess {
  const child = hasTaskset
    ? spawn('taskset', ['-c', String(core), command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    : spawn(command, [...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let tail = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-2000)
  })
  child.on('exit', (code) => {
    if (code !== 0 && code !== null) process.stderr.write(`${command} exited with ${code}: ${tail}\n`)
  })
  return child
}

/** Keeps this process off the core of what it measures. */
export function pinSelf(core: number): void {
  if (hasTaskset) spawnSync('taskset', ['-a', '-p', '-c', String(core), String(process.pid)])
}

/** Runs a program to its end, pinned like `start`, or to several (`0,1`). Rejects when it fails, with what it wrote to standard error. */
export function run(
  command: string,
  args: readonly string[],
  cores: number | string,
): { child: ChildProcess; output: Promise<string> } {
  const whole = hasTaskset ? ['taskset', '-c', String(cores), command, ...args] : [command, ...args]
  const child = spawn(whole[0] as string, whole.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let problems = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    problems += chunk.toString()
  })
  const output = new Promise<string>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out)
      else reject(new Error(`${command} ended with ${code ?? signal}: ${problems.slice(-2000)}`))
    })
  })
  return { child, output }
}

/** Resolves when something listens; rejects after ten seconds. */
export async function listening(port: number, host = '127.0.0.1'): Promise<void> {
  const endMs = Date.now() + 10_000
  while (Date.now() < endMs) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, host, () => {
        socket.destroy()
        resolve(true)
      })
      socket.on('error', () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on ${host}:${port}`)
}

/** User and system CPU time of a process and its children so far, in seconds. */
export function cpuSeconds(pid: number): number {
  let total = ownCpuSeconds(pid)
  for (const child of childrenOf(pid)) total += cpuSeconds(child)
  return total
}

function ownCpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}

/** Resident memory of a process and its children in MiB. */
export function residentMib(pid: number): number {
  return childrenOf(pid).reduce((sum, child) => sum + residentMib(child), ownResidentMib(pid))
}

function ownResidentMib(pid: number): number {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) / 1024
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await gone
  clearTimeout(timer)
}

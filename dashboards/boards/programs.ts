import { graph } from '../model/build.ts'
import type { Panel } from '../model/dashboard.ts'

const EACH = '{{pod}} {{instance}}'

/** What the processes of a job take of the machine. */
export function programPanels(of: string, job: string): Panel[] {
  const chosen = `{job="${job}"}`
  const each = (expression: string) => [{ expression, legend: EACH }]
  return [
    graph(
      {
        title: `${of}: processor`,
        shows: 'Cores that each process takes.',
        act: 'Near the number of its threads, requests wait: give a proxy more workers, or more instances.',
      },
      'short',
      each(`rate(process_cpu_seconds_total${chosen}[$__rate_interval])`),
    ),
    graph(
      {
        title: `${of}: memory`,
        shows: 'Resident memory of each process.',
        act: 'Growth without growth of requests or configuration is a leak: take a heap snapshot, then restart it.',
      },
      'bytes',
      each(`process_resident_memory_bytes${chosen}`),
    ),
    graph(
      {
        title: `${of}: heap`,
        shows: "Objects in each process's JavaScript heap.",
        act: 'Compare with the resident memory: what is not heap is buffers of bodies and connections.',
      },
      'bytes',
      each(`nodejs_heap_size_used_bytes${chosen}`),
    ),
    graph(
      {
        title: `${of}: event loop delay`,
        shows: 'What one in a hundred turns of the event loop of the first thread was late by since the last scrape.',
        act: 'It adds to every request: above 50 ms find what blocks with a processor profile.',
      },
      's',
      each(`nodejs_eventloop_lag_p99_seconds${chosen}`),
    ),
    graph(
      {
        title: `${of}: open files`,
        shows: 'Open file descriptors of each process, connections among them.',
        act: 'Before it meets the limit of the process (`ulimit -n`), raise the limit or bound connections.',
      },
      'short',
      each(`process_open_fds${chosen}`),
    ),
  ]
}

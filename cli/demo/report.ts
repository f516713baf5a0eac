import pc from 'picocolors'
import { type Column, formatTable } from '../output/table.ts'
import type { BookinfoMesh } from './bookinfo-mesh.ts'
import { ROUTE_FILE } from './bookinfo-mesh.ts'
import { hostPort } from './layout.ts'
import { gist, RELEASE, type Step } from './release.ts'
import type { MeasuredShare } from './statistics.ts'
import { RATE_PER_S, type StepResult, TEST_USER } from './story.ts'
import { type CallResult, SECURITY_FILE } from './who-may-call.ts'

const MAX_FAILURES_SHOWN = 5
/** Less is not worth a line. */
const MIN_PUT_OFF_MS = 50

const SHARE_COLUMNS: readonly Column<MeasuredShare>[] = [
  { header: 'who', value: (share) => share.who },
  { header: 'version', value: (share) => share.version },
  { header: 'asked', value: (share) => percent(share.asked, 0), alignRight: true },
  { header: 'measured', value: (share) => percent(share.answers / share.total, 1), alignRight: true },
  { header: 'answers', value: (share) => `${share.answers} of ${share.total}`, alignRight: true },
]

const STEP_COLUMNS: readonly Column<StepResult>[] = [
  { header: 'step', value: (result) => result.step.title },
  { header: 'asked of v2', value: (result) => ofV2(result, (share) => percent(share.asked, 0)), alignRight: true },
  {
    header: 'measured',
    value: (result) => ofV2(result, (share) => percent(share.answers / share.total, 1)),
    alignRight: true,
  },
  { header: 'requests', value: (result) => String(result.requests), alignRight: true },
  { header: 'errors', value: (result) => String(result.failures.length), alignRight: true },
  { header: 'p50', value: (result) => milliseconds(result.p50Ms), alignRight: true },
  { header: 'p99', value: (result) => milliseconds(result.p99Ms), alignRight: true },
  { header: 'result', value: (result) => (result.hasPassed ? 'ok' : 'FAILED') },
]

const CALL_COLUMNS: readonly Column<CallResult>[] = [
  { header: 'who', value: (result) => result.who },
  { header: 'calls', value: (result) => result.calls },
  { header: 'expected', value: (result) => result.expected },
  { header: 'answered', value: (result) => result.answered },
  { header: 'by', value: (result) => result.because },
]

export function introText(mesh: BookinfoMesh, upMs: number): string {
  return `${pc.bold('Bookinfo is up')} after ${seconds(upMs)}: a pilot, a gateway, and a sidecar for each of four services
page    ${pageUrl(mesh)}
config  ${mesh.config.path}
metrics prometheus --config.file=${mesh.prometheusFile}
load    ${RATE_PER_S} requests/s through the gateway, one in ten by the signed-in test user "${TEST_USER}"
`
}

/** Who may call whom, as it was tried. */
export function callsText(results: readonly CallResult[]): string {
  const failed = results.filter((result) => !result.isAsExpected).length
  const verdict = failed === 0 ? pc.green('ok') : pc.red('FAILED')
  const line = `${results.length - failed} of ${results.length} calls came out as the rules have it: ${verdict}`
  return `\n${pc.bold('Who may call whom')}\n${indent(`every call by mutual TLS, as ${SECURITY_FILE} says\n\n${formatTable(CALL_COLUMNS, results)}\n${line}`)}`
}

export function stepText(step: Step, number: number): string {
  return `\n${pc.bold(`${number} of ${RELEASE.length}  ${step.title}`)}`
}

/** The file that was written, and the gist of it. */
export function writtenText(step: Step, text: string): string {
  const heading = step.file === '' ? `in ${ROUTE_FILE}:` : `writes ${step.file}:`
  return indent(`${heading}\n${pc.dim(indent(gist(text)))}`)
}

export function resultText(result: StepResult): string {
  const { step, effectMs, lastAnswerMs, darkCalls, failures, putOffMs } = result
  const lines: string[] = []
  if (effectMs !== undefined) lines.push(`${step.effect} ${Math.round(effectMs)} ms after the write`)
  lines.push('', formatTable(SHARE_COLUMNS, result.shares))
  if (darkCalls !== undefined) lines.push(`its own sidecar has seen ${darkCalls} requests`)
  if (lastAnswerMs !== undefined)
    lines.push(`the last answer of ${step.leaves} came ${Math.round(lastAnswerMs)} ms after the write`)
  const verdict = result.hasPassed ? pc.green('ok') : pc.red('FAILED')
  const latency = `p50 ${milliseconds(result.p50Ms)}, p99 ${milliseconds(result.p99Ms)}`
  lines.push(`${result.requests} requests, ${failures.length} errors, ${latency}: ${verdict}`)
  if (putOffMs >= MIN_PUT_OFF_MS)
    lines.push(`this machine is too slow for ${RATE_PER_S} requests/s: put off by ${seconds(putOffMs)}`)
  for (const failure of failures.slice(0, MAX_FAILURES_SHOWN)) lines.push(pc.red(`error: ${failure}`))
  return indent(lines.join('\n'))
}

export function summaryText(results: readonly StepResult[], tookMs: number): string {
  const requests = results.reduce((sum, result) => sum + result.requests, 0)
  const errors = results.reduce((sum, result) => sum + result.failures.length, 0)
  const passed = results.filter((result) => result.hasPassed).length
  const lastAnswerMs = results.at(-1)?.lastAnswerMs
  const back = lastAnswerMs === undefined ? '' : `; back on v1 in ${Math.round(lastAnswerMs)} ms`
  const line = `${passed} of ${results.length} steps passed: ${requests} requests, ${errors} errors${back}; ${seconds(tookMs)} in all`
  return `\n${formatTable(STEP_COLUMNS, results)}\n${hasPassed(results) ? pc.green(line) : pc.red(line)}`
}

export function hasPassed(results: readonly StepResult[]): boolean {
  return results.every((result) => result.hasPassed)
}

/** What to look at and what to try while everything stays up. */
export function stayText(mesh: BookinfoMesh): string {
  const { layout, config } = mesh
  const workloads = [layout.productpage, layout.details, layout.ratings, layout.reviewsV1, layout.reviewsV2]
  const admins = [
    { name: 'gateway', address: layout.gatewayAdmin },
    ...workloads.map(({ name, admin }) => ({ name, address: admin })),
  ]
  const width = Math.max(...admins.map(({ name }) => name.length))
  const pilot = hostPort(layout.pilot)
  return `
${pc.bold('Everything stays up until Ctrl-C.')}
page    ${pageUrl(mesh)}
pilot   http://${pilot}/debug/syncz
config  ${config.path}

Admin pages of the proxies:
${indent(admins.map(({ name, address }) => `${name.padEnd(width)}   http://${hostPort(address)}/`).join('\n'))}

Things to try:
  edit ${config.path}/${ROUTE_FILE} and reload the page, or watch:
    while sleep 0.2; do curl -s http://${hostPort(mesh.gateway)}/api/v1/products/0/reviews | grep -o '"version":"[^"]*"'; done
  lateen proxy-status --pilot ${pilot}
  lateen proxy-config routes --admin ${hostPort(layout.productpage.admin)}
  lateen certs status --pilot ${pilot}
  lateen certs rotate --pilot ${pilot} --ca-dir ${mesh.identities.authority}
  lateen authz check ${layout.reviewsV1.name}.default --config ${config.path}
  lateen explain GET http://reviews:9080/reviews/0 -H 'end-user: ${TEST_USER}' --config ${config.path} --from ${layout.productpage.name}.default
`
}

function pageUrl(mesh: BookinfoMesh): string {
  return `http://${hostPort(mesh.gateway)}/productpage`
}

/** Of the step's v2 lines the one that moves: that of those who are not test users. */
function ofV2(result: StepResult, value: (share: MeasuredShare) => string): string {
  const share = result.shares.find(({ who, version }) => version === 'v2' && who !== 'test users')
  return share === undefined ? '' : value(share)
}

function percent(share: number, digits: number): string {
  return Number.isNaN(share) ? '-' : `${(share * 100).toFixed(digits)} %`
}

function milliseconds(ms: number): string {
  return Number.isNaN(ms) ? '-' : `${ms.toFixed(1)} ms`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}

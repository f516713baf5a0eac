import type { Clock, Timer } from '../../lib/clock.ts'
import { errorText } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import { type FileStamps, stampOf } from '../plan/files.ts'
import type { SecretPlan } from '../plan/secret-plan.ts'
import type { SecretUser } from './secret-check.ts'
import type { SecretStore } from './secret-store.ts'

/**
 * How often files are looked at. Each look is a call to the kernel for each file, which tells of mounted volumes and of symbolic links
 * what inotify would not.
 */
export const LOOK_EVERY_MS = 1_000
/** The others are read when what names them comes, and then no more. */
export const MAX_WATCHED_FILES = 1_024

/** Where it is said what became of files that changed. */
export interface FileWatchReports {
  readonly log: Logger
  readonly metrics: MetricStore
}

export interface FileWatchOptions {
  readonly clock: Clock
  readonly store: SecretStore
  readonly reports: FileWatchReports | undefined
  /** A secret of the store has changed. */
  readonly onChange: () => void
}

interface Watched {
  readonly users: Set<SecretUser>
  /** What was tried last and was wrong: it is not tried again before it changes. */
  failed: FileStamps | undefined
}

/**
 * Reads the files that secrets in use name again when they change, by themselves or by the directory around them: all that Envoy's
 * `watched_directory` asks for, and replacement in place beside it. What the files hold must go with all that refers to the secret;
 * when it does not, the last good one stays, and that is said in the log and by `sds.key_rotation_failed`, Envoy's name for it.
 */
export class FileWatch {
  readonly #options: FileWatchOptions
  readonly #succeeded: Metric | undefined
  readonly #failed: Metric | undefined
  /** By the secret as it was accepted. */
  #watched = new Map<SecretPlan, Watched>()
  #timer: Timer | undefined
  #hasTooMany = false

  constructor(options: FileWatchOptions) {
    this.#options = options
    this.#succeeded = options.reports?.metrics.counter('sds.key_rotation_succeeded')
    this.#failed = options.reports?.metrics.counter('sds.key_rotation_failed')
  }

  /** Takes over what is in use now. */
  follow(users: Iterable<SecretUser>): void {
    const before = this.#watched
    const files = new Set<string>()
    this.#watched = new Map()
    for (const user of new Set(users)) {
      for (const ref of user.needs) {
        const secret = this.#options.store.accepted(ref)
        if (secret?.files === undefined) continue
        const watched = this.#watched.get(secret)
        if (watched !== undefined) watched.users.add(user)
        else if (this.#hasRoom(files, secret.files.stamps)) {
          this.#watched.set(secret, { users: new Set([user]), failed: before.get(secret)?.failed })
        }
      }
    }
    if (this.#watched.size === 0) this.close()
    else this.#timer ??= this.#wait()
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #hasRoom(files: Set<string>, stamps: FileStamps): boolean {
    const more = [...stamps.keys()].filter((file) => !files.has(file))
    if (files.size + more.length > MAX_WATCHED_FILES) {
      if (!this.#hasTooMany) {
        const first = more[0]
        this.#options.reports?.log.error('too many files: changes are not seen', { most: MAX_WATCHED_FILES, first })
      }
      this.#hasTooMany = true
      return false
    }
    for (const file of more) files.add(file)
    return true
  }

  #wait(): Timer {
    return this.#options.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#timer = this.#wait()
      this.#look()
    })
  }

  #look(): void {
    const seen = new Map<string, string>()
    let isChanged = false
    for (const [accepted, watched] of this.#watched) {
      const last = watched.failed ?? this.#options.store.latest(accepted).files?.stamps
      if (last === undefined || isSame(last, seen)) continue
      if (this.#reread(accepted, watched)) isChanged = true
    }
    if (isChanged) this.#options.onChange()
  }

  #reread(accepted: SecretPlan, watched: Watched): boolean {
    const { store, reports } = this.#options
    const latest = store.latest(accepted)
    const files = [...(latest.files?.stamps.keys() ?? [])]
    // Before they are read: what changes meanwhile is looked at again.
    const now = new Map(files.map((file) => [file, stampOf(file)]))
    try {
      const secret = latest.files?.reread()
      if (secret === undefined) return false
      for (const user of watched.users) this.#check(user, accepted, secret)
      store.replace(accepted, secret)
      watched.failed = undefined
      this.#succeeded?.inc()
      reports?.log.info('files that changed were read again', { secret: accepted.name, files })
      return true
    } catch (thrown) {
      watched.failed = now
      this.#failed?.inc()
      const error = errorText(thrown)
      reports?.log.error('files that changed are wrong; the last good ones stay in force', {
        secret: accepted.name,
        files,
        error,
      })
      return false
    }
  }

  /** Throws a PlanError when the secret does not go with what refers to it. */
  #check(user: SecretUser, accepted: SecretPlan, secret: SecretPlan): void {
    const { store } = this.#options
    const secrets = new Map(store.findAll(user.needs))
    for (const ref of user.needs) if (store.accepted(ref) === accepted) secrets.set(ref.key, secret)
    user.check(secrets)
  }
}

/** `seen` keeps what each file was found to be in one look. */
function isSame(stamps: FileStamps, seen: Map<string, string>): boolean {
  for (const [file, stamp] of stamps) {
    let now = seen.get(file)
    if (now === undefined) {
      now = stampOf(file)
      seen.set(file, now)
    }
    if (now !== stamp) return false
  }
  return true
}

import { Option } from 'commander'
import { EXIT } from './exit.ts'

/** For commands that another process of ours starts: hidden, since people have no use for it. */
export function exitWithParentOption(): Option {
  return new Option('--exit-with-parent', 'end at once when standard input closes').hideHelp()
}

/** Ends this process when the one that holds the other end of its standard input ends, however that ends. */
export function exitWithParent(): void {
  process.stdin.on('end', () => process.exit(EXIT.ok))
  process.stdin.on('error', () => process.exit(EXIT.ok))
  process.stdin.resume()
}

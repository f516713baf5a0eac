import { parseAppSpec } from './app/spec.ts'
import { createDetails } from './services/details.ts'
import { createProductpage } from './services/productpage.ts'
import { createRatings } from './services/ratings.ts'
import { createReviews } from './services/reviews.ts'

const USAGE = `Starts services of Bookinfo in one process.

  main.ts [--exit-with-stdin] SERVICE[,version=v1][,listen=HOST:PORT][,via=HOST:PORT][,pod=NAME]...

SERVICE is productpage, details, reviews or ratings. listen is 0.0.0.0:9080 by default. Calls to the other services go to
http://SERVICE:9080, or, with via, to that address with the same Host header.`

const SERVICES = {
  productpage: createProductpage,
  details: createDetails,
  reviews: createReviews,
  ratings: createRatings,
}

async function main(args: readonly string[]): Promise<void> {
  const specs = args.filter((arg) => !arg.startsWith('--'))
  if (specs.length === 0) throw new Error(USAGE)
  // Whoever started this process and held its standard input open is gone when that ends.
  if (args.includes('--exit-with-stdin')) {
    process.stdin.on('end', () => process.exit(0))
    process.stdin.on('error', () => process.exit(0))
    process.stdin.resume()
  }
  const apps = specs.map((text) => {
    const spec = parseAppSpec(text)
    const create = SERVICES[spec.service as keyof typeof SERVICES]
    if (create === undefined) throw new Error(`there is no service ${spec.service}\n\n${USAGE}`)
    return { app: create(spec), listen: spec.listen }
  })
  const stop = () => void Promise.all(apps.map(({ app }) => app.close())).then(() => process.exit(0))
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  await Promise.all(apps.map(({ app, listen }) => app.listen(listen)))
  console.log(`listening: ${specs.join(' ')}`)
}

try {
  await main(process.argv.slice(2))
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  process.exit(1)
}

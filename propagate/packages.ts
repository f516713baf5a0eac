import Module from 'node:module'
import { replace } from './emitters.ts'
import { installGrpcJs } from './grpc-js.ts'
import { installUndiciPackage } from './undici.ts'

type Load = (this: unknown, request: string, ...rest: unknown[]) => unknown

/** By the end of what is asked for: a name, or, where an ES module imports it, the path of the package's main file. */
const PACKAGES: readonly [isMeant: RegExp, install: (module: unknown) => void][] = [
  [/(^|[\\/])@grpc[\\/]grpc-js([\\/]build[\\/]src[\\/]index\.js)?$/, installGrpcJs],
  [/(^|[\\/])undici([\\/]index\.js)?$/, installUndiciPackage],
]

/** Looks at the two packages that carry calls out of the contexts they were made in, when they are loaded. */
export function installPackages(): void {
  const done = new WeakSet<object>()
  replace<Load>(Module, '_load', (original) => {
    return function load(request, ...rest) {
      const module = original.call(this, request, ...rest)
      if (typeof module !== 'object' || module === null || done.has(module)) return module
      const [, install] = PACKAGES.find(([isMeant]) => isMeant.test(request)) ?? []
      if (install !== undefined) {
        done.add(module)
        install(module)
      }
      return module
    }
  })
}

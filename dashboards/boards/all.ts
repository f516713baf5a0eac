import type { Dashboard } from '../model/dashboard.ts'
import { controlPlane } from './control-plane.ts'
import { mesh } from './mesh.ts'
import { performance } from './performance.ts'
import { release } from './release.ts'
import { service } from './service.ts'
import { workload } from './workload.ts'

export const DASHBOARDS: readonly Dashboard[] = [mesh, service, workload, controlPlane, performance, release]

import type { TestProject } from 'vitest/node'

import { startTestServer } from '../support/global-setup.ts'
import { packageEntryOf } from './majors.ts'

/** One server of the project's major. */
export default function setup(project: TestProject): Promise<() => Promise<void>> {
  const { major } = project.config.provide as { major: number }
  return startTestServer(project, { packageEntry: packageEntryOf(major) })
}

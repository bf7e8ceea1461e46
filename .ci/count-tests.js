// Prints how many tests passed and failed, of a report by vitest's JSON reporter;
// what failed, with the first lines of its reason, goes to the file of the second argument.
import { appendFileSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'

const REASON_LINES = 12
/** Of one line; the whole of it is in the output above. */
const LINE_CHARS = 300

const [reportFile, failuresFile] = process.argv.slice(2)
const report = JSON.parse(readFileSync(reportFile, 'utf8'))
const files = report.testResults.map((file) => ({ ...file, path: relative('.', file.name) }))
// A file that failed outside of its tests: while it loaded, or in a hook.
const broken = files.filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
)
const failures = files.flatMap(({ path, assertionResults }) =>
  assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => [`${path}: ${fullName}`, failureMessages.join('\n')]),
)
// The reason of a group's hook is only in the output above.
for (const { path, message } of broken) failures.push([path, message || 'failed in a hook'])

for (const [name, reason] of failures) {
  const lines = reason
    .trimEnd()
    .split('\n')
    .slice(0, REASON_LINES)
    .map((line) => `    ${line.slice(0, LINE_CHARS)}`)
  appendFileSync(failuresFile, [name, ...lines, ''].join('\n'))
}
console.log(report.numPassedTests, failures.length)

// Prints how many tests passed and failed, of a report by vitest's JSON reporter.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
// A file that could not even be loaded has no tests that failed.
const broken = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
)
console.log(report.numPassedTests, report.numFailedTests + broken.length)

/** As receivers see it in the `user-agent` of every request. */
export function createUserAgent(version: string): string {
  return `Millrace/${version}`
}

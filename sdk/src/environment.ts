/**
 * A variable of the process; empty counts as absent. Node, Deno and Bun have them under
 * this name; a browser has none, and Deno may be told to give none.
 */
export function readVariable(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  try {
    return process?.env?.[name] || undefined
  } catch {
    return undefined
  }
}

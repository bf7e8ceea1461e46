/** The part of the Standard Schema interface (version 1) that is used: zod, valibot, arktype and others have it. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** Every issue in one line: `quantity: expected number; …`. */
export function describeIssues(issues: readonly SchemaIssue[]): string {
  return issues
    .map(({ message, path }) => {
      const keys = path?.map((part) => String(typeof part === 'object' ? part.key : part))
      return keys?.length ? `${keys.join('.')}: ${message}` : message
    })
    .join('; ')
}

import { closestName } from '../../closest-name.ts'

/** The sentence for a column that none of the tables has. */
export function describeUnknownColumn(name: string, known: Iterable<string>): string {
  const closest = closestName(name, known)
  const hint = closest === undefined ? '' : ` Did you mean '${closest}'?`
  return `No selected table has a column '${name}'.${hint}`
}

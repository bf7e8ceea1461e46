import { isAlias, isMap, isPair, isScalar, isSeq, type Document, type LineCounter } from 'yaml'

import type { Place } from './configuration-error.ts'

type Path = readonly PropertyKey[]

/**
 * Where a path stands in a document: the key of its last part, else the innermost part
 * that is there, as for a setting that is missing.
 * @param isValue the value itself is meant, not its key
 */
export function findPlace(
  document: Document.Parsed,
  lines: LineCounter,
  path: Path,
  isValue: boolean,
): Place | undefined {
  let node: unknown = document.contents
  let offset = offsetOf(node)
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => String(isScalar(key) ? key.value : key) === String(part),
      )
      if (!isPair(pair)) break
      offset = offsetOf(pair.key) ?? offset
      node = pair.value
      if (isValue) offset = offsetOf(node) ?? offset
    } else if (isSeq(node)) {
      node = node.items[Number(part)]
      if (node === undefined) break
      offset = offsetOf(node) ?? offset
    } else break
  }
  if (offset === undefined) return undefined
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

function offsetOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  return Array.isArray(node.range) ? (node.range[0] as number) : undefined
}

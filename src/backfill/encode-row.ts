import type { PageRow } from '../capture/page-window.ts'
import type { RowPlan } from '../capture/pgoutput/row-plan.ts'
import { ValueError } from '../capture/pgoutput/value-codec.ts'

/** The record and key that the stream would give of a row, from the texts of its columns. */
export function encodeRow(plan: RowPlan, texts: readonly (string | null)[]): PageRow {
  const values: string[] = []
  for (const [index, codec] of plan.codecs.entries()) {
    const text = texts[index]
    if (text == null) {
      values.push('null')
      continue
    }
    try {
      values.push(codec.encode(text))
    } catch (error) {
      if (!(error instanceof ValueError)) throw error
      const reason = `column "${plan.names[index]}": ${error.message}`
      const record = JSON.stringify(texts)
      return { key: null, record, size: record.length, error: reason }
    }
  }
  const record = `{${plan.prefixes.map((prefix, index) => prefix + values[index]!).join(',')}}`
  const { keyIndexes } = plan
  const key = keyIndexes.length === 0 ? null : keyIndexes.map((index) => values[index]!).join(',')
  return { key, record, size: Buffer.byteLength(record), error: null }
}

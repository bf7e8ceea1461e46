/** `16/B374D848` to a number: the bytes of WAL since the cluster was made. */
export function parseLsn(text: string): bigint {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text)
  if (!match) throw new Error(`"${text}" is not an LSN`)
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)
}

/** As Postgres writes it. */
export function formatLsn(lsn: bigint): string {
  const low = (lsn & 0xffff_ffffn).toString(16).toUpperCase()
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${low}`
}

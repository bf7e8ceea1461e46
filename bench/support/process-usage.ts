import { readFile, writeFile } from 'node:fs/promises'

/** Of `utime` and `stime`: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

export interface Usage {
  readonly cpuSeconds: number
  readonly peakMegabytes: number
}

/**
 * What one process uses from now on, as Linux counts it. The answer's `end` is
 * undefined on other systems: there it is not measured.
 */
export async function measureUsage(pid: number): Promise<{ end(): Promise<Usage | undefined> }> {
  const before = await readCpuSeconds(pid)
  // Begins the peak of memory anew; where that is refused the peak is that of the whole run.
  await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined)
  return {
    async end() {
      const after = await readCpuSeconds(pid)
      const peak = await readPeakMegabytes(pid)
      if (before === undefined || after === undefined || peak === undefined) return undefined
      return { cpuSeconds: after - before, peakMegabytes: peak }
    },
  }
}

export function formatUsage(usage: Usage | undefined): string {
  if (usage === undefined) return 'not measured here'
  return `${usage.cpuSeconds.toFixed(1)} s CPU, ${Math.round(usage.peakMegabytes)} MB`
}

async function readCpuSeconds(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  // The name before may hold anything but ends with the last parenthesis.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

async function readPeakMegabytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(text)?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
}

import type pg from 'pg'

import type { Logger } from '../log.ts'
import { parseLsn } from './lsn.ts'
import { ofStorage } from './of-storage.ts'
import { closePublicationGap, openPublicationGap, recordPublicationGap } from './publication-gap.ts'
import type { ReaderMetrics } from './reader-metrics.ts'
import type { TakenOver, Turn } from './reader-state.ts'
import type { SourceSettings } from './source-settings.ts'
import { readCaptureState, verifyPublication, type CaptureState } from './verify-source.ts'

interface PublicationWatchOptions {
  readonly turn: Turn
  readonly source: SourceSettings
  readonly log: Logger
  readonly metrics: ReaderMetrics
  /** Behind the last transaction that came. */
  readonly readReceived: () => bigint
}

/** Sees to it that nothing is missed in silence while the publication is not there. */
export class PublicationWatch {
  readonly #options: PublicationWatchOptions
  /** When the publication was last there. */
  #seenLsn = 0n

  constructor(options: PublicationWatchOptions) {
    this.#options = options
  }

  /** @throws NeedsAttentionError */
  async begin(state: CaptureState, taken: TakenOver): Promise<void> {
    const { turn, metrics } = this.#options
    const current = parseLsn(state.currentLsn)
    metrics.gaps = taken.gaps.length
    metrics.catalogXminAge = state.slot?.catalogXminAge ?? 0
    if (state.publicationExists) await ofStorage(closePublicationGap(turn, taken.gaps, current))
    await this.#expect(state, taken.knownLsn)
  }

  /** @throws NeedsAttentionError */
  async check(client: pg.ClientBase): Promise<void> {
    const { source, metrics, readReceived } = this.#options
    const state = await readCaptureState(client, source)
    metrics.catalogXminAge = state.slot?.catalogXminAge ?? 0
    const received = readReceived()
    await this.#expect(state, received > this.#seenLsn ? received : this.#seenLsn)
  }

  /**
   * The source says that it left a change out, because there was no publication at that point
   * of the WAL: `from` is where the stream was. It may be there again, dropped and made anew
   * between two looks or while nobody looked.
   * @throws NeedsAttentionError
   */
  async noteSkipped(client: pg.ClientBase, from: bigint): Promise<void> {
    const { turn, source, log, metrics } = this.#options
    const state = await readCaptureState(client, source)
    await this.#expect(state, from)
    const current = parseLsn(state.currentLsn)
    const gaps = await ofStorage(recordPublicationGap(turn, from, current))
    metrics.gaps = gaps.length
    log.error('changes were missed', { source: source.name, ...gaps.at(-1) })
  }

  async #expect(state: CaptureState, from: bigint): Promise<void> {
    const { turn, source, metrics } = this.#options
    const current = parseLsn(state.currentLsn)
    if (!state.publicationExists) {
      metrics.gaps = (await ofStorage(openPublicationGap(turn, from, current))).length
    }
    verifyPublication(state, source)
    this.#seenLsn = current
  }
}

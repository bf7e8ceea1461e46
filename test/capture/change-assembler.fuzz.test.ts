import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { ChangeAssembler } from '../../src/capture/change-assembler.ts'
import { PageWindow } from '../../src/capture/page-window.ts'
import { TypeCatalogue } from '../../src/capture/pgoutput/type-catalogue.ts'
import { RelationRegistry } from '../../src/capture/relation-registry.ts'
import {
  beginOf,
  change,
  commitOf,
  decode,
  expectNamed,
  insertOf,
  message,
  mutate,
  mutations,
  relationMessage,
  tuple,
} from './pgoutput/random-messages.ts'

describe('in a stream, a message that was', () => {
  function assemble(): ChangeAssembler {
    return new ChangeAssembler({
      position: { commitLsn: 0n, commitIdx: 0 },
      nextSeq: 1,
      endLsn: 0n,
      relations: new RelationRegistry(),
      catalogue: new TypeCatalogue(),
      ignoresOwnSchema: false,
      window: new PageWindow(),
    })
  }

  test('cut short is set aside by itself, and its neighbours arrive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(tuple, change, fc.double({ min: 0, max: 0.99, noNaN: true })), {
          minLength: 1,
          maxLength: 5,
        }),
        (steps) => {
          const assembler = assemble()
          assembler.accept(beginOf(5n))
          assembler.accept(relationMessage)
          for (const [row, broken, share] of steps) {
            assembler.accept(insertOf(row))
            assembler.accept(broken.subarray(0, 1 + Math.floor((broken.length - 1) * share)))
          }
          assembler.accept(commitOf(5n))
          const { entries, undecodable, endLsn } = assembler.take()
          expect(entries.map(({ record }) => record)).toEqual(
            steps.map(([row]) => decode(insertOf(row))!.record),
          )
          expect(entries.map(({ commitIdx }) => commitIdx)).toEqual(
            steps.map((_, index) => index * 2 + 1),
          )
          expect(undecodable.map(({ commitIdx }) => commitIdx)).toEqual(
            steps.map((_, index) => index * 2 + 2),
          )
          expect(undecodable[0]!.error).toMatch(/^pgoutput message "[IUD]", offset \d+: /)
          expect(endLsn).toBe(13n)
        },
      ),
    )
  })

  test('changed makes no other row wrong, and ends the stream by an error or not at all', () => {
    fc.assert(
      fc.property(tuple, message, mutations, tuple, (first, whole, changes, second) => {
        const assembler = assemble()
        assembler.accept(beginOf(5n))
        assembler.accept(relationMessage)
        assembler.accept(insertOf(first))
        const changed = mutate(whole, changes)
        // One that still is a relation of the table, or a begin, changes what follows: as it should.
        fc.pre(!'RBC'.includes(String.fromCharCode(changed[0]!)))
        try {
          assembler.accept(changed)
        } catch (error) {
          expectNamed(error, changed)
          return
        }
        assembler.accept(insertOf(second))
        assembler.accept(commitOf(5n))
        const { entries } = assembler.take()
        expect(entries[0]!.record).toBe(decode(insertOf(first))!.record)
        expect(entries.at(-1)!.record).toBe(decode(insertOf(second))!.record)
        expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1))
        for (const { record } of entries) JSON.parse(record)
      }),
      { numRuns: 3000 },
    )
  })
})

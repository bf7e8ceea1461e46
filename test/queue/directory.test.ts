import { describe, expect } from 'vitest'

import { Directory } from '../../src/queue/directory.ts'
import type { Database } from '../../src/storage/database.ts'
import { test } from '../support/database.ts'
import { givenConsumer, givenSource } from '../support/given.ts'

/** The storage, with something that happens once the first query of a reading is answered. */
function interrupt(storage: Database, happen: () => Promise<unknown>): Database {
  let isOver = false
  const plugin: Parameters<Database['db']['withPlugin']>[0] = {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      if (!isOver) {
        isOver = true
        await happen()
      }
      return result
    },
  }
  return { ...storage, db: storage.db.withPlugin(plugin) }
}

describe('the directory', () => {
  test('never knows a consumer without its source', async ({ storage }) => {
    const directory = new Directory(
      interrupt(storage, async () => {
        const { sourceNo } = await givenSource(storage)
        await givenConsumer(storage, sourceNo)
      }),
    )

    await directory.refresh()

    for (const { sourceNo } of directory.listConsumers()) {
      expect(directory.getSource(sourceNo)).toBeDefined()
    }
    await directory.refresh()
    expect(directory.find('inventory')).toBeDefined()
  })

  test('reads once more for whoever asks while it reads', async ({ storage }) => {
    const { sourceNo } = await givenSource(storage)
    let asked: Promise<void> | undefined
    const directory: Directory = new Directory(
      interrupt(storage, async () => {
        await givenConsumer(storage, sourceNo)
        asked = directory.refresh()
      }),
    )

    await directory.refresh()
    await asked

    expect(directory.find('inventory')).toBeDefined()
  })
})

export interface Page<Item> {
  data: Item[]
  next_cursor: string | null
}

/** Every item of a list, page by page as they are asked for. */
export async function* listAll<Item>(
  fetchPage: (cursor: string | undefined) => Promise<Page<Item>>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined
  do {
    const page: Page<Item> = await fetchPage(cursor)
    yield* page.data
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
}

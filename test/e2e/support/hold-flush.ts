import pg from 'pg'

/**
 * Lets the reader's next flush come up to the writing of its position and no
 * further: nothing of it may be visible, and nothing of it confirmed.
 */
export async function holdFlush(storageUrl: string) {
  const client = new pg.Client(storageUrl)
  await client.connect()
  await client.query('begin; lock table millrace.position in share mode')
  const listHeld = async (): Promise<number[]> => {
    const { rows } = await client.query<{ pid: number }>(
      `select pid from pg_locks where relation = 'millrace.position'::regclass and not granted`,
    )
    return rows.map(({ pid }) => pid)
  }
  return {
    isHeld: async () => (await listHeld()).length > 0,
    /** The flush goes on, though the process that sent it may be gone. */
    async release(): Promise<void> {
      await client.query('commit')
      await client.end()
    },
    /** The flush is rolled back. */
    async cancel(): Promise<void> {
      for (const pid of await listHeld()) {
        await client.query('select pg_terminate_backend($1, 5000)', [pid])
      }
      await client.query('commit')
      await client.end()
    },
  }
}

// Makes the three consumers, or leaves them as they are. Needs a token with the scope `admin`.
import { createClient } from '@millrace/client'

const client = createClient()

for (const name of ['inventory', 'shipping', 'invoicing']) {
  await client.consumers.put(name, {
    source: 'shop',
    tables: ['public.orders'],
    actions: ['insert'],
  })
  console.log(`consumer ${name}`)
}

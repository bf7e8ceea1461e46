import type pg from 'pg'

/** An order as its `record` arrives. */
export interface Order {
  id: number
  customer_id: number
  product_id: number
  quantity: number
  total_price: number
  shipping_address: string
  status: string
  order_date: string
}

const TABLE = `
create table if not exists orders (
  id bigint generated always as identity primary key,
  customer_id int not null,
  product_id int not null,
  quantity int not null,
  total_price numeric(10, 2) not null,
  shipping_address text not null,
  status text not null default 'placed',
  order_date timestamptz not null default now()
)`

const ADDRESSES = [
  '123 Main St, Anytown, USA',
  '7 Mill Lane, Bath, UK',
  'Hauptstraße 5, 10827 Berlin, Germany',
  '12 Rue de la Paix, 75002 Paris, France',
  'Calle Mayor 21, 28013 Madrid, Spain',
]

/** Every so manieth turn an older order moves on instead of a new one being placed beside it. */
const UPDATE_EVERY = 5

/** The shop's one table. */
export async function createOrders(pool: pg.Pool): Promise<void> {
  await pool.query(TABLE)
}

/** Places one order. */
export async function placeOrder(pool: pg.Pool): Promise<void> {
  const quantity = randomInteger(1, 5)
  const price = (quantity * randomInteger(999, 9999)) / 100
  await pool.query(
    `insert into orders (customer_id, product_id, quantity, total_price, shipping_address)
     values ($1, $2, $3, $4, $5)`,
    [
      randomInteger(1, 99),
      randomInteger(100, 199),
      quantity,
      price.toFixed(2),
      ADDRESSES[randomInteger(0, ADDRESSES.length - 1)],
    ],
  )
}

/** An older order moves on: `placed` becomes `paid`. */
export async function payOrder(pool: pg.Pool): Promise<void> {
  await pool.query(
    `update orders set status = 'paid'
     where id = (select min(id) from orders where status = 'placed' and id > (select max(id) - 50 from orders))`,
  )
}

interface ShopOptions {
  pool: pg.Pool
  everyMs: number
  /** A turn failed: the next one is tried all the same. */
  onError: (error: unknown) => void
}

/** The customers: an order every so often, and now and then an older one is paid. */
export class DemoShop {
  readonly #options: ShopOptions
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<void> | undefined
  #turns = 0

  constructor(options: ShopOptions) {
    this.#options = options
  }

  start(): void {
    this.#takeTurn()
    this.#timer = setInterval(() => this.#takeTurn(), this.#options.everyMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#turn
  }

  #takeTurn(): void {
    // The one before still runs: a slow database gets no queue of turns.
    if (this.#turn) return
    this.#turn = this.#run()
      .catch(this.#options.onError)
      .finally(() => {
        this.#turn = undefined
      })
  }

  async #run(): Promise<void> {
    this.#turns += 1
    await placeOrder(this.#options.pool)
    if (this.#turns % UPDATE_EVERY === 0) await payOrder(this.#options.pool)
  }
}

function randomInteger(min: number, max: number): number {
  return min + Math.floor(Math.random() * (max - min + 1))
}

import type { LogEntry, Relation } from '../../log/entry.ts'

/**
 * The ordering group of a row: a number over its table and its key. It is stored in
 * leases and deliveries, so what it answers for a row must never change. Two rows that
 * share a number (one pair in 4.5e15) only wait for each other.
 */
export function hashGroup(relation: Relation, key: string): number {
  const seed = seedOf(relation)
  return finish(mixA(seed.a, key), mixB(seed.b, key))
}

interface Seed {
  readonly a: number
  readonly b: number
}

const seeds = new WeakMap<Relation, Seed>()
let lastRelation: Relation | undefined
let lastSeed: Seed = { a: 0, b: 0 }

/** Entries of one table come in runs: the map is asked once a run. */
function seedOf(relation: Relation): Seed {
  if (relation === lastRelation) return lastSeed
  let seed = seeds.get(relation)
  if (seed === undefined) {
    // No name of Postgres holds a NUL, so "a.b" + "c" and "a" + "b.c" differ.
    const name = `${relation.schema}\0${relation.table}\0`
    seed = { a: mixA(0x2545f491, name), b: mixB(0x4f6cdd1d, name) }
    seeds.set(relation, seed)
  }
  lastRelation = relation
  lastSeed = seed
  return seed
}

// Two 32-bit lanes: one multiplication a character each. `bigint` arithmetic would give
// 64 bits at once, at fifty times the price.
function mixA(lane: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    lane = Math.imul(lane ^ text.charCodeAt(i), 0x85ebca6b)
  }
  return lane
}

function mixB(lane: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    lane = Math.imul(((lane << 13) | (lane >>> 19)) ^ text.charCodeAt(i), 0xc2b2ae35)
  }
  return lane
}

/** 52 bits, so that the number is safe in JavaScript, JSON and `bigint` alike; never 0. */
function finish(a: number, b: number): number {
  const low = avalanche(a ^ (b >>> 15)) >>> 0
  const high = avalanche(b ^ (low >>> 13)) >>> 12
  return high * 0x1_0000_0000 + low || 1
}

function avalanche(lane: number): number {
  lane = Math.imul(lane ^ (lane >>> 16), 0x7feb352d)
  lane = Math.imul(lane ^ (lane >>> 15), 0x846ca68b)
  return lane ^ (lane >>> 16)
}

/** Group of the entry's row; 0 without a key. Worked out once an entry, for all consumers. */
export function rowGroupHash(entry: LogEntry): number {
  if (entry.key === null) return 0
  return entry.groupHash || (entry.groupHash = hashGroup(entry.relation, entry.key))
}

/** Group of the row's former key when an update changed it, else 0. */
export function otherRowGroupHash(entry: LogEntry): number {
  if (entry.oldKey === null || entry.oldKey === entry.key) return 0
  return entry.otherGroupHash || (entry.otherGroupHash = hashGroup(entry.relation, entry.oldKey))
}

const LABEL_CHARACTERS_MAX = 200

/** `orders:1`, `sales.orders:1,"a"`: for people, and equal for equal groups. */
export function labelGroup(relation: Relation, key: string, columns: number): string {
  const { schema, table } = relation
  const prefix = schema === 'public' ? table : `${schema}.${table}`
  const value = columns === 1 && key.startsWith('"') ? (JSON.parse(key) as string) : key
  if (value.length <= LABEL_CHARACTERS_MAX) return `${prefix}:${value}`
  // Long keys are cut; the hash keeps apart what differs only in the rest.
  const hash = hashGroup(relation, key).toString(36)
  return `${prefix}:${value.slice(0, LABEL_CHARACTERS_MAX)}…${hash}`
}

import type pg from 'pg'

import type { ChangeAssembler } from './change-assembler.ts'
import type { RelationMessage } from './pgoutput/message.ts'
import type { TypeCatalogue } from './pgoutput/type-catalogue.ts'
import { readPrimaryKey, readTypes } from './read-catalogue.ts'

/** Looks up what decoding the rows of a relation needs and the stream does not say, and tells the assembler. */
export async function defineRelation(
  client: pg.ClientBase,
  relation: RelationMessage,
  catalogue: TypeCatalogue,
  assembler: ChangeAssembler,
): Promise<void> {
  const oids = relation.columns.map(({ typeOid }) => typeOid).filter((oid) => !catalogue.has(oid))
  if (oids.length > 0) catalogue.add(oids, await readTypes(client, oids))
  const { replicaIdentity, oid } = relation
  const isUnmarked = replicaIdentity === 'f' || replicaIdentity === 'n'
  assembler.define(relation, isUnmarked ? await readPrimaryKey(client, oid) : null)
}

-- Whom a row found by a backfill is for: the consumer with this number; null: everyone.
-- Told by the entry itself, so that nobody has to look up which backfill it came from.
alter table millrace.log rename column backfill_no to recipient_no;

-- Reading the rows that a table holds already, page by page, into the log. The process
-- that reads the source does it; how far it came is written with the rows themselves.
create table millrace.backfill (
  backfill_no int generated always as identity primary key,
  id uuid not null default gen_random_uuid(),
  source_no int not null references millrace.source on delete cascade,
  -- Null: the rows are for every consumer that selects the table.
  consumer_no int references millrace.consumer on delete cascade,
  -- Both null: all captured tables that the consumer selects. The reader of the source,
  -- which can see them, puts one row a table in its place.
  table_schema text,
  table_name text,
  state text not null default 'pending',
  -- SQL over the columns of the table; null: all rows.
  predicate text,
  -- The primary key to begin with, each column in Postgres' text form; null: the first.
  from_key text[],
  -- {"key": [texts]}: the row that was read last; or {"place": "(block,row)", "blocks", "file"}
  -- in a table without a key. Null: at the beginning.
  position jsonb,
  rows_scanned bigint not null default 0,
  -- Of these the ones that went into the log: the others did not match, or had changed meanwhile.
  rows_read bigint not null default 0,
  -- To be scanned in all, as the planner believes; null: not begun.
  rows_estimated bigint,
  rows_per_second real,
  -- Why it failed, or what it tries again.
  error text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint backfill_id_is_unique unique (id),
  constraint backfill_state_is_known
    check (state in ('pending', 'running', 'paused', 'done', 'cancelled', 'failed')),
  constraint backfill_names_a_table check ((table_schema is null) = (table_name is null)),
  constraint backfill_of_everything_is_for_a_consumer
    check (table_name is not null or consumer_no is not null)
);
create unique index backfill_is_active_once on millrace.backfill (
  source_no, coalesce(consumer_no, 0), coalesce(table_schema, ''), coalesce(table_name, '')
) where state in ('pending', 'running', 'paused');
create index backfill_by_consumer on millrace.backfill (consumer_no);

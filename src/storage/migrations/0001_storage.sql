-- The one clock of leases and retries. Tests replace this function to move time.
create function millrace.clock() returns timestamptz
  language sql volatile
  return clock_timestamp();

-- One Postgres database whose changes are captured.
create table millrace.source (
  source_no int generated always as identity primary key,
  id uuid not null default gen_random_uuid(),
  name text not null,
  host text not null,
  port int not null,
  database text not null,
  username text not null,
  -- AES-256-GCM under MILLRACE_SECRET_KEY; null when the server asks for none.
  password_sealed bytea,
  ssl jsonb not null default '{"mode": "prefer"}',
  slot text not null,
  publication text not null,
  -- The tables asked for when the publication was made; null: all.
  tables text[],
  annotations jsonb not null default '{}',
  config_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint source_id_is_unique unique (id),
  constraint source_name_is_unique unique (name),
  constraint source_name_is_well_formed check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$')
);

-- The fence of a source's reader. Taking over raises the epoch; a reader that
-- slept through a take-over finds another epoch and writes nothing.
create table millrace.reader (
  source_no int primary key references millrace.source on delete cascade,
  epoch bigint not null default 0,
  process_id uuid,
  -- What the slot's LSNs belong to: an LSN means nothing on another cluster.
  system_identifier text,
  timeline int,
  -- 'starting', 'healthy', 'retrying', 'needs_attention', 'paused'
  state text not null default 'starting',
  state_reason text,
  state_remedy text,
  state_at timestamptz not null default now(),
  -- Changes known to be missed: [{"from": lsn, "to": lsn, "reason": text, "at": time}]
  gaps jsonb not null default '[]',
  confirmed_lsn bigint not null default 0,
  confirmed_at timestamptz
);

-- How far a source is stored, one row a flush, written in the flush's own
-- transaction. Rows are added, never updated: a transaction that is held open
-- elsewhere cannot make the newest one slow to find. Only the newest counts.
create table millrace.position (
  source_no int not null,
  first_seq bigint not null,
  next_seq bigint not null,
  commit_lsn bigint not null,
  commit_idx int not null,
  committed_at timestamptz,
  -- Two writers that believe to be the reader collide here.
  constraint position_is_written_once primary key (source_no, first_seq),
  constraint position_goes_forward check (next_seq > first_seq)
);

-- The shape of a captured table, as the stream described it. Never changed:
-- another shape is another row, and old changes keep theirs.
create table millrace.relation (
  source_no int not null references millrace.source on delete cascade,
  relation_no int not null,
  relation_oid bigint not null,
  table_schema text not null,
  table_name text not null,
  -- [{"name", "type", "type_oid", "key"}] in the order of the stream
  columns jsonb not null,
  key_columns text[] not null,
  created_at timestamptz not null default now(),
  primary key (source_no, relation_no)
);

-- Every change, once, in commit order. `seq` has no gaps within a source.
create table millrace.log (
  source_no int not null,
  seq bigint not null,
  commit_lsn bigint not null,
  -- Ordinal in the transaction, from 1. Backfilled rows: ordinal in their page.
  commit_idx int not null,
  committed_at timestamptz not null,
  relation_no int not null,
  -- i insert, u update, d delete, r read (backfill), t truncate
  action "char" not null,
  -- Bytes of record and changes, so that a page can be bounded without reading them.
  size int not null,
  -- Backfilled rows belong to those who asked; null: to everyone.
  backfill_no int,
  -- The primary key as the inside of a JSON array: 1,"a". Null: the table has none.
  key text,
  -- The key before an update that changed it.
  old_key text,
  -- text, not jsonb: legal json such as "\u0000" or 1e400000 is refused by jsonb.
  record text not null,
  changes text,
  -- Further members of the message's metadata, as the inside of a JSON object.
  extra text,
  constraint log_holds_a_change_once primary key (source_no, seq)
) partition by list (source_no);

-- What could not be decoded is kept aside, whole.
create table millrace.undecodable (
  source_no int not null references millrace.source on delete cascade,
  commit_lsn bigint not null,
  commit_idx int not null,
  relation_no int,
  error text not null,
  bytes bytea not null,
  created_at timestamptz not null default now(),
  primary key (source_no, commit_lsn, commit_idx)
);

create table millrace.consumer (
  consumer_no int generated always as identity primary key,
  id uuid not null default gen_random_uuid(),
  name text not null,
  source_no int not null references millrace.source,
  tables text[] not null,
  actions text[] not null,
  filter text,
  columns jsonb,
  kind text not null default 'changes',
  mode text not null default 'pull',
  push jsonb,
  -- Write-only: header values and signing secrets, sealed.
  push_sealed bytea,
  start_from text not null default 'now',
  visibility_timeout_ms int not null default 30000,
  max_in_flight int not null default 10000,
  max_waiting int not null default 100,
  max_deliveries int,
  ordering text not null default 'group',
  -- Null: the primary key.
  group_by text[],
  annotations jsonb not null default '{}',
  -- Paused while in the future; 'infinity': until resumed.
  paused_until timestamptz,
  pause_reason text,
  -- Raised by every change of this row; a process that holds an older one reloads before it acts.
  config_version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint consumer_id_is_unique unique (id),
  constraint consumer_name_is_unique unique (name),
  constraint consumer_name_is_well_formed check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$')
);

-- The state of a consumer's queue moves by ticks: each is one row, and the
-- unique key is the compare-and-set. Rows are added, never updated, for the
-- same reason as in `position`. `writer` tells two ticks with one version
-- apart: after a crash of Postgres an asynchronously committed tick may be gone
-- and its number taken by another process.
create table millrace.tick (
  consumer_no int not null,
  version bigint not null,
  writer bigint not null,
  cursor_seq bigint not null,
  -- Leases below this number are gone: a reload need not walk over their remains.
  lease_floor bigint not null,
  next_lease_no bigint not null,
  -- Leases below this number were taken away by a seek or a purge: their ids are lost.
  lost_lease_no bigint not null default 0,
  constraint tick_is_written_once primary key (consumer_no, version)
);

-- What one receive call holds. Parallel arrays, one element a message.
create table millrace.lease (
  consumer_no int not null,
  lease_no bigint not null,
  -- Makes ack ids unguessable, and different when a lost lease number is used again.
  nonce bigint not null,
  leased_at timestamptz not null,
  expires_at timestamptz not null,
  worker text,
  seqs bigint[] not null,
  -- Null: all are first deliveries.
  attempts int[],
  -- Null: none is a replay.
  replays int[],
  -- Null: unordered. 0: a message without a group.
  groups bigint[],
  -- Second group of a message whose primary key changed; null: none has one.
  other_groups bigint[],
  -- Where some were extended: when each ends, in ms since 1970, and expires_at is
  -- the earliest. Null: all end at expires_at.
  expires_ms bigint[],
  constraint lease_is_numbered_once primary key (consumer_no, lease_no)
) with (fillfactor = 80);

-- Messages off the happy path.
--   waiting   its group is busy; never delivered so far
--   retrying  nacked, expired or redriven; due at visible_at
--   leased    a retried message that is leased again (the lease says the rest)
--   dead      given up; waits for an operator
--   acked     settled after more than one delivery; kept for a while so that a
--             stale ack id can be told from a repeated one
create table millrace.delivery (
  consumer_no int not null,
  seq bigint not null,
  -- 0: the first pass of the cursor; otherwise the replay that brought it again.
  replay_no int not null default 0,
  state text not null,
  -- Deliveries that counted so far.
  attempt int not null,
  group_hash bigint not null,
  other_group_hash bigint not null default 0,
  visible_at timestamptz,
  -- The lease that held it last, and whether that lease ran out (then a late ack counts).
  lease_no bigint,
  nonce bigint,
  expired boolean not null default false,
  reason text,
  -- The last ten: [{"at", "attempt", "outcome", "reason", "worker"}]
  history jsonb not null default '[]',
  updated_at timestamptz not null,
  constraint delivery_is_kept_once primary key (consumer_no, seq, replay_no),
  constraint delivery_state_is_known check (state in ('waiting', 'retrying', 'leased', 'dead', 'acked'))
);
create index delivery_by_state on millrace.delivery (consumer_no, state, seq);

-- Old messages delivered again beside the cursor: a cursor of its own over a range.
create table millrace.replay (
  consumer_no int not null references millrace.consumer on delete cascade,
  replay_no int not null,
  -- Exclusive and inclusive.
  cursor_seq bigint not null,
  to_seq bigint not null,
  key text,
  total bigint,
  created_at timestamptz not null,
  finished_at timestamptz,
  primary key (consumer_no, replay_no)
);

create table millrace.token (
  id text primary key,
  name text not null,
  secret_sha256 bytea not null,
  scopes text[] not null,
  -- Names of consumers; null: all.
  consumers text[],
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

-- The server processes on this storage, each with a heartbeat.
create table millrace.process (
  id uuid primary key,
  host text not null,
  pid int not null,
  version text not null,
  roles text[] not null,
  started_at timestamptz not null,
  seen_at timestamptz not null
);

-- Made by `npm run schema` from the migrations. Not to be edited.

create table millrace.backfill (
  backfill_no integer generated always as identity not null,
  id uuid not null default gen_random_uuid(),
  source_no integer not null,
  consumer_no integer,
  table_schema text,
  table_name text,
  state text not null default 'pending'::text,
  predicate text,
  from_key text[],
  "position" jsonb,
  rows_scanned bigint not null default 0,
  rows_read bigint not null default 0,
  rows_estimated bigint,
  rows_per_second real,
  error text,
  created_at timestamp with time zone not null default now(),
  started_at timestamp with time zone,
  finished_at timestamp with time zone,
  updated_at timestamp with time zone not null default now(),
  constraint backfill_consumer_no_fkey FOREIGN KEY (consumer_no) REFERENCES millrace.consumer(consumer_no) ON DELETE CASCADE,
  constraint backfill_id_is_unique UNIQUE (id),
  constraint backfill_names_a_table CHECK (((table_schema IS NULL) = (table_name IS NULL))),
  constraint backfill_of_everything_is_for_a_consumer CHECK (((table_name IS NOT NULL) OR (consumer_no IS NOT NULL))),
  constraint backfill_pkey PRIMARY KEY (backfill_no),
  constraint backfill_source_no_fkey FOREIGN KEY (source_no) REFERENCES millrace.source(source_no) ON DELETE CASCADE,
  constraint backfill_state_is_known CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'paused'::text, 'done'::text, 'cancelled'::text, 'failed'::text])))
);

create table millrace.consumer (
  consumer_no integer generated always as identity not null,
  id uuid not null default gen_random_uuid(),
  name text not null,
  source_no integer not null,
  tables text[] not null,
  actions text[] not null,
  filter text,
  columns jsonb,
  kind text not null default 'changes'::text,
  mode text not null default 'pull'::text,
  push jsonb,
  push_sealed bytea,
  start_from text not null default 'now'::text,
  visibility_timeout_ms integer not null default 30000,
  max_in_flight integer not null default 10000,
  max_waiting integer not null default 100,
  max_deliveries integer,
  ordering text not null default 'group'::text,
  group_by text[],
  annotations jsonb not null default '{}'::jsonb,
  paused_until timestamp with time zone,
  pause_reason text,
  config_version bigint not null default 1,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  start_seq bigint,
  constraint consumer_id_is_unique UNIQUE (id),
  constraint consumer_name_is_unique UNIQUE (name),
  constraint consumer_name_is_well_formed CHECK ((name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text)),
  constraint consumer_pkey PRIMARY KEY (consumer_no),
  constraint consumer_source_no_fkey FOREIGN KEY (source_no) REFERENCES millrace.source(source_no)
);

create table millrace.delivery (
  consumer_no integer not null,
  seq bigint not null,
  replay_no integer not null default 0,
  state text not null,
  attempt integer not null,
  group_hash bigint not null,
  other_group_hash bigint not null default 0,
  visible_at timestamp with time zone,
  lease_no bigint,
  nonce bigint,
  expired boolean not null default false,
  reason text,
  history jsonb not null default '[]'::jsonb,
  updated_at timestamp with time zone not null,
  constraint delivery_is_kept_once PRIMARY KEY (consumer_no, seq, replay_no),
  constraint delivery_state_is_known CHECK ((state = ANY (ARRAY['waiting'::text, 'retrying'::text, 'leased'::text, 'dead'::text, 'acked'::text])))
);

create table millrace.lease (
  consumer_no integer not null,
  lease_no bigint not null,
  nonce bigint not null,
  leased_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  worker text,
  seqs bigint[] not null,
  attempts integer[],
  replays integer[],
  groups bigint[],
  other_groups bigint[],
  expires_ms bigint[],
  constraint lease_is_numbered_once PRIMARY KEY (consumer_no, lease_no)
);

create table millrace.log (
  source_no integer not null,
  seq bigint not null,
  commit_lsn bigint not null,
  commit_idx integer not null,
  committed_at timestamp with time zone not null,
  relation_no integer not null,
  action "char" not null,
  size integer not null,
  recipient_no integer,
  key text,
  old_key text,
  record text not null,
  changes text,
  extra text,
  constraint log_holds_a_change_once PRIMARY KEY (source_no, seq)
) partition by LIST (source_no);

create table millrace.migration (
  name text not null,
  sha256 text not null,
  applied_at timestamp with time zone not null default now(),
  constraint migration_pkey PRIMARY KEY (name)
);

create table millrace.position (
  source_no integer not null,
  first_seq bigint not null,
  next_seq bigint not null,
  commit_lsn bigint not null,
  commit_idx integer not null,
  committed_at timestamp with time zone,
  end_lsn bigint not null default 0,
  constraint position_goes_forward CHECK ((next_seq > first_seq)),
  constraint position_is_written_once PRIMARY KEY (source_no, first_seq)
);

create table millrace.process (
  id uuid not null,
  host text not null,
  pid integer not null,
  version text not null,
  roles text[] not null,
  started_at timestamp with time zone not null,
  seen_at timestamp with time zone not null,
  constraint process_pkey PRIMARY KEY (id)
);

create table millrace.reader (
  source_no integer not null,
  epoch bigint not null default 0,
  process_id uuid,
  system_identifier text,
  timeline integer,
  state text not null default 'starting'::text,
  state_reason text,
  state_remedy text,
  state_at timestamp with time zone not null default now(),
  gaps jsonb not null default '[]'::jsonb,
  confirmed_lsn bigint not null default 0,
  confirmed_at timestamp with time zone,
  other_cluster_seq bigint not null default 0,
  lag_bytes bigint,
  constraint reader_pkey PRIMARY KEY (source_no),
  constraint reader_source_no_fkey FOREIGN KEY (source_no) REFERENCES millrace.source(source_no) ON DELETE CASCADE
);

create table millrace.relation (
  source_no integer not null,
  relation_no integer not null,
  relation_oid bigint not null,
  table_schema text not null,
  table_name text not null,
  columns jsonb not null,
  key_columns text[] not null,
  created_at timestamp with time zone not null default now(),
  constraint relation_pkey PRIMARY KEY (source_no, relation_no),
  constraint relation_source_no_fkey FOREIGN KEY (source_no) REFERENCES millrace.source(source_no) ON DELETE CASCADE
);

create table millrace.replay (
  consumer_no integer not null,
  replay_no integer not null,
  cursor_seq bigint not null,
  to_seq bigint not null,
  key text,
  total bigint,
  created_at timestamp with time zone not null,
  finished_at timestamp with time zone,
  constraint replay_consumer_no_fkey FOREIGN KEY (consumer_no) REFERENCES millrace.consumer(consumer_no) ON DELETE CASCADE,
  constraint replay_pkey PRIMARY KEY (consumer_no, replay_no)
);

create table millrace.source (
  source_no integer generated always as identity not null,
  id uuid not null default gen_random_uuid(),
  name text not null,
  host text not null,
  port integer not null,
  database text not null,
  username text not null,
  password_sealed bytea,
  ssl jsonb not null default '{"mode": "prefer"}'::jsonb,
  slot text not null,
  publication text not null,
  tables text[],
  annotations jsonb not null default '{}'::jsonb,
  config_version bigint not null default 1,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  phase text not null default 'ready'::text,
  made_slot boolean not null default false,
  made_publication boolean not null default false,
  constraint source_id_is_unique UNIQUE (id),
  constraint source_name_is_unique UNIQUE (name),
  constraint source_name_is_well_formed CHECK ((name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'::text)),
  constraint source_phase_is_known CHECK ((phase = ANY (ARRAY['creating'::text, 'ready'::text, 'removing'::text]))),
  constraint source_pkey PRIMARY KEY (source_no)
);

create table millrace.tick (
  consumer_no integer not null,
  version bigint not null,
  writer bigint not null,
  cursor_seq bigint not null,
  lease_floor bigint not null,
  next_lease_no bigint not null,
  lost_lease_no bigint not null default 0,
  constraint tick_is_written_once PRIMARY KEY (consumer_no, version)
);

create table millrace.token (
  id text not null,
  name text not null,
  secret_sha256 bytea not null,
  scopes text[] not null,
  consumers text[],
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  constraint token_pkey PRIMARY KEY (id)
);

create table millrace.undecodable (
  source_no integer not null,
  commit_lsn bigint not null,
  commit_idx integer not null,
  relation_no integer,
  error text not null,
  bytes bytea not null,
  created_at timestamp with time zone not null default now(),
  constraint undecodable_pkey PRIMARY KEY (source_no, commit_lsn, commit_idx),
  constraint undecodable_source_no_fkey FOREIGN KEY (source_no) REFERENCES millrace.source(source_no) ON DELETE CASCADE
);

CREATE INDEX backfill_by_consumer ON millrace.backfill USING btree (consumer_no);

CREATE UNIQUE INDEX backfill_is_active_once ON millrace.backfill USING btree (source_no, COALESCE(consumer_no, 0), COALESCE(table_schema, ''::text), COALESCE(table_name, ''::text)) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text, 'paused'::text]));

CREATE INDEX delivery_by_state ON millrace.delivery USING btree (consumer_no, state, seq);

CREATE OR REPLACE FUNCTION millrace.clock()
 RETURNS timestamp with time zone
 LANGUAGE sql
RETURN clock_timestamp()
;

CREATE OR REPLACE FUNCTION millrace.commit_tick(p_consumer_no integer, p_config_version bigint, p_version bigint, p_writer bigint, p_new_writer bigint, p_cursor_seq bigint, p_lease_floor bigint, p_next_lease_no bigint, p_durable boolean, p_lease_no bigint[], p_lease_nonce bigint[], p_lease_ms bigint[], p_lease_worker text[], p_lease_seqs text[], p_lease_attempts text[], p_lease_replays text[], p_lease_groups text[], p_lease_other_groups text[], p_drop_lease_no bigint[], p_set_lease jsonb, p_put_delivery jsonb, p_drop_delivery_seq bigint[], p_drop_delivery_replay integer[], p_set_replay jsonb, OUT outcome text, OUT clock_ms bigint)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  v_now timestamptz := date_trunc('milliseconds', millrace.clock());
  v_config_version bigint;
begin
  clock_ms := (extract(epoch from v_now) * 1000)::bigint;

  if not p_durable then
    perform set_config('synchronous_commit', 'off', true);
  elsif current_setting('synchronous_commit') in ('off', 'local') then
    -- An ack that was answered must survive, whatever the role was set to.
    perform set_config('synchronous_commit', 'on', true);
  end if;

  perform pg_advisory_xact_lock(1297239634, p_consumer_no);

  select config_version into v_config_version from millrace.consumer where consumer_no = p_consumer_no;
  if not found then
    outcome := 'gone';
    return;
  elsif v_config_version <> p_config_version then
    outcome := 'config';
    return;
  end if;

  insert into millrace.tick (
    consumer_no, version, writer, cursor_seq, lease_floor, next_lease_no, lost_lease_no
  )
  select p_consumer_no, p_version + 1, p_new_writer, p_cursor_seq, p_lease_floor, p_next_lease_no,
         lost_lease_no
  from millrace.tick
  where consumer_no = p_consumer_no and version = p_version and writer = p_writer
  on conflict do nothing;
  if not found then
    outcome := 'stale';
    return;
  end if;

  if p_version % 256 = 0 then
    delete from millrace.tick where consumer_no = p_consumer_no and version < p_version - 16;
  end if;

  if p_drop_lease_no is not null then
    delete from millrace.lease where consumer_no = p_consumer_no and lease_no = any (p_drop_lease_no);
  end if;

  if p_set_lease is not null then
    update millrace.lease
    set seqs = changed.seqs,
        attempts = changed.attempts,
        replays = changed.replays,
        groups = changed.groups,
        other_groups = changed.other_groups,
        expires_ms = changed.expires_ms,
        expires_at = to_timestamp(changed.expires_at_ms / 1000.0)
    from jsonb_to_recordset(p_set_lease) as changed (
      lease_no bigint, seqs bigint[], attempts int[], replays int[], groups bigint[],
      other_groups bigint[], expires_ms bigint[], expires_at_ms bigint
    )
    where lease.consumer_no = p_consumer_no and lease.lease_no = changed.lease_no;
  end if;

  if p_lease_no is not null then
    insert into millrace.lease (
      consumer_no, lease_no, nonce, leased_at, expires_at, worker,
      seqs, attempts, replays, groups, other_groups
    )
    select p_consumer_no, lease_no, nonce, v_now, v_now + ms * interval '1 millisecond', worker,
           seqs::bigint[], attempts::int[], replays::int[], groups::bigint[], other_groups::bigint[]
    from unnest(
      p_lease_no, p_lease_nonce, p_lease_ms, p_lease_worker, p_lease_seqs,
      p_lease_attempts, p_lease_replays, p_lease_groups, p_lease_other_groups
    ) as fresh (lease_no, nonce, ms, worker, seqs, attempts, replays, groups, other_groups);
  end if;

  if p_drop_delivery_seq is not null then
    delete from millrace.delivery
    using unnest(p_drop_delivery_seq, p_drop_delivery_replay) as gone (seq, replay_no)
    where delivery.consumer_no = p_consumer_no
      and delivery.seq = gone.seq and delivery.replay_no = gone.replay_no;
  end if;

  if p_put_delivery is not null then
    insert into millrace.delivery as old (
      consumer_no, seq, replay_no, state, attempt, group_hash, other_group_hash,
      visible_at, lease_no, nonce, expired, reason, history, updated_at
    )
    select p_consumer_no, put.seq, put.replay_no, put.state, put.attempt, put.group_hash,
           put.other_group_hash, v_now + put.delay_ms * interval '1 millisecond',
           put.lease_no, put.nonce, coalesce(put.expired, false), put.reason,
           case when put.event is null then '[]'::jsonb
                else jsonb_build_array(put.event || jsonb_build_object('at', v_now)) end,
           v_now
    from jsonb_to_recordset(p_put_delivery) as put (
      seq bigint, replay_no int, state text, attempt int, group_hash bigint,
      other_group_hash bigint, delay_ms bigint, lease_no bigint, nonce bigint,
      expired boolean, reason text, event jsonb
    )
    on conflict on constraint delivery_is_kept_once do update
    set state = excluded.state,
        attempt = excluded.attempt,
        visible_at = excluded.visible_at,
        lease_no = excluded.lease_no,
        nonce = excluded.nonce,
        expired = excluded.expired,
        reason = coalesce(excluded.reason, old.reason),
        history = case
          when jsonb_array_length(old.history) >= 10 then (old.history - 0) || excluded.history
          else old.history || excluded.history
        end,
        updated_at = excluded.updated_at;
  end if;

  if p_set_replay is not null then
    update millrace.replay
    set cursor_seq = moved.cursor_seq,
        finished_at = case when moved.finished then v_now end
    from jsonb_to_recordset(p_set_replay) as moved (replay_no int, cursor_seq bigint, finished boolean)
    where replay.consumer_no = p_consumer_no and replay.replay_no = moved.replay_no;
  end if;

  outcome := 'done';
end
$function$
;

CREATE OR REPLACE FUNCTION millrace.hold_reader(p_source_no integer, p_epoch bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  if current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  perform from millrace.reader where source_no = p_source_no and epoch = p_epoch for share;
  if not found then
    raise exception 'another process reads source %', p_source_no using errcode = 'MR001';
  end if;
end
$function$
;

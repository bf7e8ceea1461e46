-- Applies one tick of a consumer's queue, or nothing.
--
-- The caller worked the tick out in memory from the state at (p_version, p_writer);
-- this function only checks that the state is still that one, and writes the
-- difference. It answers 'done', 'stale' (another tick came between: reload),
-- 'config' (the consumer's settings changed: reload them) or 'gone' (deleted),
-- and the clock in ms that all times of this tick are counted from.
--
-- The advisory lock is what makes concurrent processes take turns: without it one
-- that has to reload loses every race against one that has not.
create function millrace.commit_tick(
  p_consumer_no int,
  p_config_version bigint,
  p_version bigint,
  p_writer bigint,
  p_new_writer bigint,
  p_cursor_seq bigint,
  p_lease_floor bigint,
  p_next_lease_no bigint,
  -- False: losing this tick in a crash only delivers something again.
  p_durable boolean,
  -- New leases: parallel arrays; the text elements are array literals.
  p_lease_no bigint[],
  p_lease_nonce bigint[],
  p_lease_ms bigint[],
  p_lease_worker text[],
  p_lease_seqs text[],
  p_lease_attempts text[],
  p_lease_replays text[],
  p_lease_groups text[],
  p_lease_other_groups text[],
  -- Leases that are settled or expired whole.
  p_drop_lease_no bigint[],
  -- Leases that shrank or were extended, off the happy path: an array of
  -- {lease_no, seqs, attempts, replays, groups, other_groups, expires_ms, expires_at_ms}
  p_set_lease jsonb,
  -- Deliveries to insert or replace: an array of {seq, replay_no, state, attempt,
  -- group_hash, other_group_hash, delay_ms, lease_no, nonce, expired, reason, event}
  p_put_delivery jsonb,
  p_drop_delivery_seq bigint[],
  p_drop_delivery_replay int[],
  -- Replays that moved: [{replay_no, cursor_seq, finished}]
  p_set_replay jsonb,
  out outcome text,
  out clock_ms bigint
)
language plpgsql as $$
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
$$;

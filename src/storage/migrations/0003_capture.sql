-- 'creating' and 'removing' sources are not read: their slot is being made or dropped.
alter table millrace.source
  add column phase text not null default 'ready',
  add constraint source_phase_is_known check (phase in ('creating', 'ready', 'removing')),
  -- What we made ourselves on the source, and so may drop with it.
  add column made_slot boolean not null default false,
  add column made_publication boolean not null default false;

-- Up to here the source may be told that its changes are stored. Behind `commit_lsn`
-- when the last transaction of the flush was whole, else the end of the one before.
alter table millrace.position
  add column end_lsn bigint not null default 0;

-- Positions up to this seq belong to another cluster, which an operator has given
-- up for the present one: their LSNs say nothing of it.
alter table millrace.reader
  add column other_cluster_seq bigint not null default 0;

-- First statement of every flush: keeps the reader's row as it is until the flush has
-- committed, or refuses because another process took over. Nor may the flush be
-- acknowledged before it is on disk, whatever the role was set to.
create function millrace.hold_reader(p_source_no int, p_epoch bigint) returns void
language plpgsql as $$
begin
  if current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  perform from millrace.reader where source_no = p_source_no and epoch = p_epoch for share;
  if not found then
    raise exception 'another process reads source %', p_source_no using errcode = 'MR001';
  end if;
end
$$;

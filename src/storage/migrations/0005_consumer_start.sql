-- Changes up to this seq were in the log before the consumer began: they are not acked,
-- they were never its. A seek back makes it lower. Null: made before this was kept.
alter table millrace.consumer add column start_seq bigint;

-- WAL that the source had written and we had not stored, when the slot was last told.
alter table millrace.reader add column lag_bytes bigint;

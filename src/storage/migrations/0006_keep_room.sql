-- A vacuum gives empty pages at the end of a table back to the disk. A queue that had run
-- dry then needed new room for its next lease, which a full disk does not have, although it
-- had just had some; and to give it back the table is locked for everybody.
alter table millrace.lease set (vacuum_truncate = false);
alter table millrace.tick set (vacuum_truncate = false);
alter table millrace.delivery set (vacuum_truncate = false);

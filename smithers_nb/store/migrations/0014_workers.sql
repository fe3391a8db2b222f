-- A task that was started by an earlier release runs in the process that started it.
ALTER TABLE tasks ADD COLUMN worker TEXT;
ALTER TABLE tasks ADD COLUMN leg INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN ledger_offset INTEGER NOT NULL DEFAULT 0;

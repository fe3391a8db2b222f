-- By its args_hash and code_hash a branch sees that a task calls the same as one of its family did. reused_from is the
-- task whose result it has. The models that a fork replaced are in reuse.
ALTER TABLE tasks ADD COLUMN args_hash TEXT;
ALTER TABLE tasks ADD COLUMN code_hash TEXT;
ALTER TABLE tasks ADD COLUMN reused_from TEXT;
ALTER TABLE executions DROP COLUMN replaced_models;

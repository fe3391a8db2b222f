-- Earlier forks share all writes of their frame, and did not record which models they replaced.
ALTER TABLE executions ADD COLUMN forked_at_seq INTEGER;
ALTER TABLE executions ADD COLUMN replaced_models JSON TEXT;

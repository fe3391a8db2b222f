-- reuse: what a branch answers from the record of its family, as a JSON object. same is a hash of all that an answer
-- depends on: earlier releases recorded none, and their answers are not reused. reused_id is the row that answered.
ALTER TABLE executions ADD COLUMN reuse JSON TEXT;
ALTER TABLE model_calls ADD COLUMN same TEXT;
ALTER TABLE model_calls ADD COLUMN reused_id INTEGER;
ALTER TABLE model_calls ADD COLUMN saved_usd REAL;
ALTER TABLE tool_calls ADD COLUMN reused_id INTEGER;
ALTER TABLE approvals ADD COLUMN reused_from TEXT;
CREATE INDEX model_calls_by_same ON model_calls (same) WHERE same IS NOT NULL;

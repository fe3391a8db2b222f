ALTER TABLE model_calls ADD COLUMN status TEXT NOT NULL DEFAULT 'ok';
ALTER TABLE model_calls ADD COLUMN base_id INTEGER;
ALTER TABLE model_calls ADD COLUMN history JSON TEXT;
ALTER TABLE model_calls ADD COLUMN parameters JSON TEXT;
ALTER TABLE model_calls ADD COLUMN accepted JSON TEXT;
ALTER TABLE model_calls ADD COLUMN partial JSON TEXT;
ALTER TABLE model_calls ADD COLUMN cache_read_tokens INTEGER;
ALTER TABLE model_calls ADD COLUMN cache_write_tokens INTEGER;
ALTER TABLE model_calls ADD COLUMN reasoning_tokens INTEGER;
ALTER TABLE model_calls ADD COLUMN unpriced TEXT;
ALTER TABLE model_calls ADD COLUMN agent TEXT;
ALTER TABLE model_calls ADD COLUMN caller TEXT;
UPDATE model_calls
  SET status = CASE WHEN error IN ('it was cancelled', 'limit: seconds') THEN 'cancelled' ELSE 'failed' END
  WHERE response IS NULL;

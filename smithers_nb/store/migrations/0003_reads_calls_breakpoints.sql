ALTER TABLE executions ADD COLUMN owned_since TIME TEXT;
ALTER TABLE nodes ADD COLUMN span INTEGER GENERATED ALWAYS AS (
  CASE WHEN to_frame IS NULL THEN NULL WHEN to_frame - from_frame <= 1 THEN 1 WHEN to_frame - from_frame <= 4 THEN 4
  WHEN to_frame - from_frame <= 16 THEN 16 WHEN to_frame - from_frame <= 64 THEN 64
  WHEN to_frame - from_frame <= 256 THEN 256 WHEN to_frame - from_frame <= 1024 THEN 1024
  WHEN to_frame - from_frame <= 4096 THEN 4096 WHEN to_frame - from_frame <= 16384 THEN 16384 ELSE 1000000000 END);
ALTER TABLE state ADD COLUMN span INTEGER GENERATED ALWAYS AS (
  CASE WHEN to_frame IS NULL THEN NULL WHEN to_frame - from_frame <= 1 THEN 1 WHEN to_frame - from_frame <= 4 THEN 4
  WHEN to_frame - from_frame <= 16 THEN 16 WHEN to_frame - from_frame <= 64 THEN 64
  WHEN to_frame - from_frame <= 256 THEN 256 WHEN to_frame - from_frame <= 1024 THEN 1024
  WHEN to_frame - from_frame <= 4096 THEN 4096 WHEN to_frame - from_frame <= 16384 THEN 16384 ELSE 1000000000 END);
CREATE INDEX nodes_at ON nodes (execution_id, span, from_frame);
CREATE INDEX state_at ON state (execution_id, span, from_frame);

CREATE TABLE reads (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  component TEXT NOT NULL,
  key TEXT NOT NULL,
  from_frame INTEGER NOT NULL,
  to_frame INTEGER,
  PRIMARY KEY (execution_id, component, key, from_frame)
) WITHOUT ROWID;

ALTER TABLE model_calls ADD COLUMN started_at TIME TEXT;
ALTER TABLE model_calls ADD COLUMN provider TEXT;
ALTER TABLE model_calls ADD COLUMN answered_by TEXT NOT NULL DEFAULT 'model';
ALTER TABLE model_calls ADD COLUMN signature TEXT;
CREATE INDEX model_calls_by_signature ON model_calls (signature) WHERE signature IS NOT NULL;

CREATE TABLE tool_calls (
  id INTEGER PRIMARY KEY,
  execution_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  turn INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  tool_call_id TEXT NOT NULL,
  tool TEXT NOT NULL,
  input JSON TEXT NOT NULL,
  output JSON TEXT,
  status TEXT NOT NULL,
  started_at TIME TEXT NOT NULL,
  ms REAL,
  error TEXT,
  FOREIGN KEY (execution_id, task_id) REFERENCES tasks ON DELETE CASCADE
);
CREATE INDEX tool_calls_of_task ON tool_calls (execution_id, task_id);

CREATE TABLE stream_events (
  id INTEGER PRIMARY KEY,
  execution_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  turn INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  kind TEXT NOT NULL,
  payload JSON TEXT NOT NULL,
  created_at TIME TEXT NOT NULL,
  FOREIGN KEY (execution_id, task_id) REFERENCES tasks ON DELETE CASCADE
);
CREATE INDEX stream_events_of_task ON stream_events (execution_id, task_id);

CREATE TABLE rate_windows (
  name TEXT PRIMARY KEY,
  opens_at TIME TEXT,
  next_at TIME TEXT,
  interval_ms REAL NOT NULL,
  limited_at TIME TEXT,
  refused INTEGER NOT NULL,
  recent JSON TEXT NOT NULL,
  updated_at TIME TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE breakpoints (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  breakpoint_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  target TEXT,
  event TEXT,
  value JSON TEXT,
  condition TEXT,
  once INTEGER NOT NULL,
  enabled INTEGER NOT NULL,
  log_only INTEGER NOT NULL,
  after INTEGER NOT NULL DEFAULT 1,
  hits INTEGER NOT NULL DEFAULT 0,
  created_at TIME TEXT NOT NULL,
  PRIMARY KEY (execution_id, breakpoint_id)
);

-- One task may ask more than once: an approval has an id of its own.
CREATE TABLE approvals_of_tasks (
  execution_id TEXT NOT NULL,
  approval_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  prompt TEXT NOT NULL,
  payload JSON TEXT,
  options JSON TEXT NOT NULL,
  status TEXT NOT NULL,
  choice TEXT,
  comment TEXT,
  asked_at TIME TEXT NOT NULL,
  answered_at TIME TEXT,
  turn INTEGER,
  tool_call_id TEXT,
  PRIMARY KEY (execution_id, approval_id),
  FOREIGN KEY (execution_id, task_id) REFERENCES tasks ON DELETE CASCADE
);
INSERT INTO approvals_of_tasks
  SELECT execution_id, approval_id, approval_id, node_id, kind, prompt, payload, options, status, choice, comment,
  asked_at, answered_at, NULL, NULL FROM approvals;
DROP TABLE approvals;
ALTER TABLE approvals_of_tasks RENAME TO approvals;

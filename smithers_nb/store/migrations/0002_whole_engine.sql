ALTER TABLE executions ADD COLUMN result JSON TEXT;
ALTER TABLE executions ADD COLUMN result_type TEXT;

CREATE TABLE loops (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  node_id TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (execution_id, node_id)
) WITHOUT ROWID;

CREATE TABLE approvals (
  execution_id TEXT NOT NULL,
  approval_id TEXT NOT NULL,
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
  PRIMARY KEY (execution_id, approval_id),
  FOREIGN KEY (execution_id, approval_id) REFERENCES tasks ON DELETE CASCADE
);

CREATE TABLE artifacts (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  artifact_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT,
  content JSON TEXT NOT NULL,
  node_id TEXT,
  frame INTEGER NOT NULL,
  created_at TIME TEXT NOT NULL,
  updated_at TIME TEXT NOT NULL,
  PRIMARY KEY (execution_id, artifact_id)
);

-- What is neither a write nor a call: files that were written, and what an operator did.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  frame INTEGER NOT NULL,
  kind TEXT NOT NULL,
  node_id TEXT,
  payload JSON TEXT NOT NULL,
  created_at TIME TEXT NOT NULL
);

CREATE INDEX events_of_execution ON events (execution_id, frame);

ALTER TABLE executions ADD COLUMN kind TEXT NOT NULL DEFAULT 'run';
ALTER TABLE executions ADD COLUMN props JSON TEXT;
UPDATE executions SET kind = CASE WHEN forked_at_frame IS NULL THEN 'child' ELSE 'replay' END
  WHERE parent_id IS NOT NULL;

-- Earlier releases kept the newest iteration only: it is known from the last frame on.
CREATE TABLE loops_by_frame (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  node_id TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  status TEXT NOT NULL,
  from_frame INTEGER NOT NULL,
  to_frame INTEGER,
  PRIMARY KEY (execution_id, node_id, from_frame)
) WITHOUT ROWID;
INSERT INTO loops_by_frame
  SELECT execution_id, node_id, iteration, status,
  coalesce((SELECT max(frame) FROM frames WHERE frames.execution_id = loops.execution_id), 0), NULL FROM loops;
DROP TABLE loops;
ALTER TABLE loops_by_frame RENAME TO loops;

-- A version holds from its frame on.
CREATE TABLE artifacts_by_frame (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  artifact_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  title TEXT,
  content JSON TEXT NOT NULL,
  node_id TEXT,
  frame INTEGER NOT NULL,
  to_frame INTEGER,
  created_at TIME TEXT NOT NULL,
  updated_at TIME TEXT NOT NULL,
  PRIMARY KEY (execution_id, artifact_id, frame)
);
INSERT INTO artifacts_by_frame
  SELECT execution_id, artifact_id, kind, title, content, node_id, frame, NULL, created_at, updated_at FROM artifacts
  ORDER BY rowid;
DROP TABLE artifacts;
ALTER TABLE artifacts_by_frame RENAME TO artifacts;

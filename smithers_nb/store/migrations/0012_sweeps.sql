CREATE TABLE sweeps (
  name TEXT PRIMARY KEY,
  parent_id TEXT,
  frame INTEGER,
  app TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  definition TEXT NOT NULL,
  reuse JSON TEXT NOT NULL,
  options JSON TEXT NOT NULL,
  created_at TIME TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE sweep_branches (
  sweep TEXT NOT NULL REFERENCES sweeps ON DELETE CASCADE,
  branch INTEGER NOT NULL,
  execution_id TEXT NOT NULL,
  varied JSON TEXT NOT NULL,
  repeat INTEGER NOT NULL,
  status TEXT,
  reason TEXT,
  seconds REAL NOT NULL DEFAULT 0,
  scores JSON TEXT,
  score_error TEXT,
  scorer TEXT,
  ended_at TIME TEXT,
  PRIMARY KEY (sweep, branch)
) WITHOUT ROWID;

CREATE INDEX sweep_branches_of_execution ON sweep_branches (execution_id);

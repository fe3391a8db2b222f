-- The whole schema. migrations/ lead to it from any earlier version; a test proves that both give the same.
-- Types: "JSON TEXT" is decoded in DataFrames, "TIME TEXT" is ISO 8601 in UTC. (The word TEXT keeps the affinity.)
-- Histories are intervals: a row holds from from_frame up to, not including, to_frame; an open one has no to_frame.
-- Their length, rounded up to a power of four, is the span. Of one span, only what began less than a span before
-- frame n can hold n: the index on (span, from_frame) finds what holds at any frame as fast as at the latest.

CREATE TABLE schema_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at TIME TEXT NOT NULL
);

-- kind: run, child (of a Smithers node), branch or replay. A branch shares the frames up to forked_at_frame with its
-- parent; what held then is copied into it, with the from_frame that it had. reuse: what a branch answers from the
-- record of its family, and what it may repeat, as a JSON object. Of the frame of the fork it shares the writes up to
-- forked_at_seq: the parent may add more before its next frame.
CREATE TABLE executions (
  execution_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  parent_id TEXT REFERENCES executions,
  forked_at_frame INTEGER,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  app TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  engine_version TEXT NOT NULL,
  seed INTEGER NOT NULL,
  owner TEXT,
  lease_expires_at TIME TEXT,
  created_at TIME TEXT NOT NULL,
  updated_at TIME TEXT NOT NULL,
  result JSON TEXT,
  result_type TEXT,
  owned_since TIME TEXT,
  durability TEXT NOT NULL DEFAULT 'normal',
  kind TEXT NOT NULL DEFAULT 'run',
  props JSON TEXT,
  reuse JSON TEXT,
  forked_at_seq INTEGER
);

-- COMMIT inserts a frame as 'open'; FLUSH makes it 'done'. One that stays open was abandoned.
CREATE TABLE frames (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  frame INTEGER NOT NULL,
  reason JSON TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at TIME TEXT NOT NULL,
  mounted INTEGER NOT NULL,
  unmounted INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  moved INTEGER NOT NULL,
  handlers INTEGER NOT NULL DEFAULT 0,
  writes INTEGER NOT NULL DEFAULT 0,
  snapshot_ms REAL,
  render_ms REAL,
  reconcile_ms REAL,
  commit_ms REAL,
  execute_ms REAL,
  effects_ms REAL,
  flush_ms REAL,
  PRIMARY KEY (execution_id, frame)
) WITHOUT ROWID;

CREATE TABLE nodes (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  node_id TEXT NOT NULL,
  path TEXT NOT NULL,
  type TEXT NOT NULL,
  key TEXT,
  explicit_id INTEGER NOT NULL,
  parent_id TEXT,
  position INTEGER NOT NULL,
  props JSON TEXT NOT NULL,
  events JSON TEXT NOT NULL,
  text TEXT,
  source TEXT,
  from_frame INTEGER NOT NULL,
  to_frame INTEGER,
  span INTEGER GENERATED ALWAYS AS (
  CASE WHEN to_frame IS NULL THEN NULL WHEN to_frame - from_frame <= 1 THEN 1 WHEN to_frame - from_frame <= 4 THEN 4
  WHEN to_frame - from_frame <= 16 THEN 16 WHEN to_frame - from_frame <= 64 THEN 64
  WHEN to_frame - from_frame <= 256 THEN 256 WHEN to_frame - from_frame <= 1024 THEN 1024
  WHEN to_frame - from_frame <= 4096 THEN 4096 WHEN to_frame - from_frame <= 16384 THEN 16384 ELSE 1000000000 END),
  PRIMARY KEY (execution_id, node_id, from_frame)
) WITHOUT ROWID;

CREATE INDEX nodes_at ON nodes (execution_id, span, from_frame);

-- A value that frame n reads is the one whose interval holds n; a write of frame n is read from n + 1 on.
CREATE TABLE state (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  key TEXT NOT NULL,
  value JSON TEXT NOT NULL,
  type TEXT NOT NULL,
  from_frame INTEGER NOT NULL,
  to_frame INTEGER,
  span INTEGER GENERATED ALWAYS AS (
  CASE WHEN to_frame IS NULL THEN NULL WHEN to_frame - from_frame <= 1 THEN 1 WHEN to_frame - from_frame <= 4 THEN 4
  WHEN to_frame - from_frame <= 16 THEN 16 WHEN to_frame - from_frame <= 64 THEN 64
  WHEN to_frame - from_frame <= 256 THEN 256 WHEN to_frame - from_frame <= 1024 THEN 1024
  WHEN to_frame - from_frame <= 4096 THEN 4096 WHEN to_frame - from_frame <= 16384 THEN 16384 ELSE 1000000000 END),
  PRIMARY KEY (execution_id, key, from_frame)
);

CREATE INDEX state_at ON state (execution_id, span, from_frame);

-- The keys of the state that a component reads, by the component's path in the plan.
CREATE TABLE reads (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  component TEXT NOT NULL,
  key TEXT NOT NULL,
  from_frame INTEGER NOT NULL,
  to_frame INTEGER,
  PRIMARY KEY (execution_id, component, key, from_frame)
) WITHOUT ROWID;

-- Every write that FLUSH resolved, the losers and the rolled back ones too. tool_call_id is that of the tool which made
-- it, where an agent's task did.
CREATE TABLE transitions (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  id TEXT NOT NULL,
  frame INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  op TEXT NOT NULL,
  old JSON TEXT,
  new JSON TEXT,
  status TEXT NOT NULL,
  "trigger" TEXT NOT NULL,
  origin TEXT NOT NULL,
  origin_id TEXT,
  node_id TEXT,
  handler TEXT,
  tool_call_id TEXT,
  PRIMARY KEY (execution_id, frame, seq)
);

CREATE TABLE handlers (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  id TEXT NOT NULL,
  frame INTEGER NOT NULL,
  node_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  event TEXT NOT NULL,
  status TEXT NOT NULL,
  writes INTEGER NOT NULL,
  ms REAL NOT NULL,
  error TEXT,
  source TEXT,
  PRIMARY KEY (execution_id, id)
);

CREATE TABLE effects (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  id TEXT NOT NULL,
  frame INTEGER NOT NULL,
  node_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  deps JSON TEXT NOT NULL,
  writes INTEGER NOT NULL,
  ms REAL NOT NULL,
  error TEXT,
  PRIMARY KEY (execution_id, id)
);

-- settled_at_frame is the frame whose FLUSH applied the handler's writes: set in that same transaction. worker is NULL
-- for a task of this process, '' for one that was handed to workers and that none has begun. leg counts how often it came
-- back without an end, and ledger_offset the rows of this leg that are in the file: both are set with what they count.
CREATE TABLE tasks (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  task_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  mounted_at_frame INTEGER NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  next_retry_at TIME TEXT,
  lease_owner TEXT,
  lease_expires_at TIME TEXT,
  started_at TIME TEXT,
  ended_at TIME TEXT,
  settled_at_frame INTEGER,
  result JSON TEXT,
  result_type TEXT,
  error TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  requests INTEGER,
  cost_usd REAL,
  args_hash TEXT,
  code_hash TEXT,
  reused_from TEXT,
  worker TEXT,
  leg INTEGER NOT NULL DEFAULT 0,
  ledger_offset INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (execution_id, task_id)
);

-- The row is there, as 'running', before the request is sent. request and history hold what they add to the row
-- base_id: store/requests.py. agent and caller (a tool_call_id) tell an agent that a tool of the node's agent runs.
-- same is a hash of all that an answer depends on. reused_id is the row of a relative that answered instead of the
-- model, and saved_usd what that answer had cost.
CREATE TABLE model_calls (
  id INTEGER PRIMARY KEY,
  execution_id TEXT NOT NULL,
  task_id TEXT NOT NULL,
  turn INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  model TEXT NOT NULL,
  request JSON TEXT NOT NULL,
  response JSON TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL,
  ms REAL NOT NULL,
  error TEXT,
  started_at TIME TEXT,
  provider TEXT,
  answered_by TEXT NOT NULL DEFAULT 'model',
  signature TEXT,
  status TEXT NOT NULL DEFAULT 'ok',
  base_id INTEGER,
  history JSON TEXT,
  parameters JSON TEXT,
  accepted JSON TEXT,
  partial JSON TEXT,
  cache_read_tokens INTEGER,
  cache_write_tokens INTEGER,
  reasoning_tokens INTEGER,
  unpriced TEXT,
  agent TEXT,
  caller TEXT,
  same TEXT,
  reused_id INTEGER,
  saved_usd REAL,
  FOREIGN KEY (execution_id, task_id) REFERENCES tasks ON DELETE CASCADE
);

CREATE INDEX model_calls_of_task ON model_calls (execution_id, task_id);
CREATE INDEX model_calls_by_signature ON model_calls (signature) WHERE signature IS NOT NULL;
CREATE INDEX model_calls_by_same ON model_calls (same) WHERE same IS NOT NULL;

-- The row is there, as 'running', before the tool is called. reused_id is the row whose result it has. agent and caller
-- are those of model_calls.
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
  reused_id INTEGER,
  agent TEXT,
  caller TEXT,
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

-- When a model of a provider may be asked: by all agents of all processes that use this file.
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

-- The progress of a loop from the COMMIT of a frame on.
CREATE TABLE loops (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  node_id TEXT NOT NULL,
  iteration INTEGER NOT NULL,
  status TEXT NOT NULL,
  from_frame INTEGER NOT NULL,
  to_frame INTEGER,
  PRIMARY KEY (execution_id, node_id, from_frame)
) WITHOUT ROWID;

-- reused_from is the execution whose answer it has, with its approval_id: EXECUTION_ID/APPROVAL_ID.
CREATE TABLE approvals (
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
  args JSON TEXT,
  result JSON TEXT,
  args_schema JSON TEXT,
  reused_from TEXT,
  PRIMARY KEY (execution_id, approval_id),
  FOREIGN KEY (execution_id, task_id) REFERENCES tasks ON DELETE CASCADE
);

-- A version of an artifact holds from its frame on; created_at is that of the first version.
CREATE TABLE artifacts (
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

-- What is neither a write nor a call: files that were read and written, and what an operator did.
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

-- A breakpoint's hits are events.
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

-- The bytes of images and documents that models were given, once each, and the executions that need them.
CREATE TABLE blobs (
  hash TEXT PRIMARY KEY,
  bytes BLOB NOT NULL,
  created_at TIME TEXT NOT NULL
);

CREATE TABLE blob_uses (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  hash TEXT NOT NULL REFERENCES blobs,
  PRIMARY KEY (execution_id, hash)
) WITHOUT ROWID;

-- A sweep: executions that differ in what is varied. parent_id and frame are what its branches were forked from; NULL
-- where they are executions of their own. definition is a hash of the call: the same call takes the sweep up again.
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

-- The row is there before its execution begins. ended_at is set once the sweep is done with it; then status and reason
-- are its end. varied has each value with its type, or the name of one. scorer is a hash of what made the scores.
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

-- What a learner expected of a frame before it began. said is NULL where the frame was skipped; was and right are NULL
-- until the records have an answer.
CREATE TABLE predictions (
  execution_id TEXT NOT NULL REFERENCES executions ON DELETE CASCADE,
  frame INTEGER NOT NULL,
  learner TEXT NOT NULL,
  item TEXT NOT NULL,
  said JSON TEXT,
  was JSON TEXT,
  "right" INTEGER,
  at TIME TEXT NOT NULL,
  PRIMARY KEY (execution_id, frame, learner, item)
);

-- An attempt of a learner at an exercise. Number 0 is its beginning: held is empty, and cell NULL. held has each
-- statement of the exercise, and whether it held. execution_id is NULL where the cell has made no execution. No key: in
-- a merged file two learners without a name may have the same seat.
CREATE TABLE exercise_checks (
  exercise TEXT NOT NULL,
  seat INTEGER NOT NULL,
  learner TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  solved INTEGER NOT NULL,
  held JSON TEXT NOT NULL,
  cell TEXT,
  execution_id TEXT REFERENCES executions ON DELETE SET NULL,
  at TIME TEXT NOT NULL
);

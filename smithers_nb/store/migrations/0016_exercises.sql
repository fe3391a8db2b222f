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

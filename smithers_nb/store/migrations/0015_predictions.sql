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

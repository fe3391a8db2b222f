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

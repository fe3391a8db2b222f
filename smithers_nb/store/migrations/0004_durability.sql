ALTER TABLE executions ADD COLUMN durability TEXT NOT NULL DEFAULT 'normal';

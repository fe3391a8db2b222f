-- Earlier writes of a tool name its task only, and of tools of agents that a tool ran there are no rows.
ALTER TABLE transitions ADD COLUMN tool_call_id TEXT;
ALTER TABLE tool_calls ADD COLUMN agent TEXT;
ALTER TABLE tool_calls ADD COLUMN caller TEXT;

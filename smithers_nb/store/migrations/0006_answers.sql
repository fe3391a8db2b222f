-- What a person answered besides a choice: arguments instead of the model's, and the result of a call made elsewhere.
-- The schema of the arguments is kept for a later process, which has no tool to ask.
ALTER TABLE approvals ADD COLUMN args JSON TEXT;
ALTER TABLE approvals ADD COLUMN result JSON TEXT;
ALTER TABLE approvals ADD COLUMN args_schema JSON TEXT;

-- name: revisions
-- How far watched runs have come.
SELECT id, revision FROM platform.runs WHERE id = ANY(%(runs)s::bigint[]);

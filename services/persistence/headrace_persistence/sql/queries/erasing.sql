-- name: records_at
-- All records of a place.
SELECT id FROM platform.artifacts WHERE uri = %(uri)s;

-- name: same_places
-- Records of the same places as these artifacts, and of what somebody uses in them.
SELECT b.id FROM platform.artifacts a JOIN platform.artifacts b ON b.uri = a.uri
WHERE a.id = ANY(%(ids)s::bigint[]) AND a.uri <> ''
UNION
SELECT b.id FROM platform.artifacts a
JOIN platform.uses s ON left(s.uri, 500) >= left(a.uri || '/', 500) AND left(s.uri, 500) <= left(a.uri || '/', 500) || chr(1114111)
    AND starts_with(s.uri, a.uri || '/')
JOIN platform.artifacts b ON b.uri = s.uri
WHERE a.id = ANY(%(ids)s::bigint[]) AND a.uri <> '';

-- name: made_of
-- What tasks that read these artifacts put out.
SELECT DISTINCT w.artifact FROM platform.links l
JOIN platform.tasks t ON t.run = l.run AND t.id = l.task AND t.kind IN (1, 2)
JOIN platform.links w ON w.run = l.run AND w.task = l.task AND w.direction = 2
WHERE l.artifact = ANY(%(ids)s::bigint[]) AND l.direction = 1;

-- name: erased_artifacts
-- What is known of them.
SELECT a.id, a.artifact_id, a.type_name, a.uri, a.created_at_us FROM platform.artifacts a
WHERE a.id = ANY(%(ids)s::bigint[]) ORDER BY a.id;

-- name: runs_of_artifacts
-- Runs that read or write them.
SELECT DISTINCT r.id, r.run_id FROM platform.links l JOIN platform.runs r ON r.id = l.run WHERE l.artifact = ANY(%(ids)s::bigint[]);

-- name: users_running
-- Runs that have not ended, or are about to go on, and use one of the places.
SELECT DISTINCT r.run_id FROM unnest(%(uris)s::text[]) AS u (uri)
JOIN platform.uses s ON left(s.uri, 500) = left(u.uri, 500) AND s.uri = u.uri
JOIN platform.runs r ON r.id = s.run AND (r.finished_at_us = 0 OR r.retry_pending);

-- name: lock_runs_to_wipe
-- Those that nobody else is changing just now.
SELECT id, run_id, namespace, pipeline_name, created_at_us, finished_at_us = 0 OR retry_pending, inputs, outputs, error
FROM platform.runs WHERE id = ANY(%(runs)s::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED;

-- name: tasks_of_artifacts
-- Tasks and groups that read or write them: whether they read one, and what is recorded of them.
SELECT t.run, t.path, t.kind, bool_or(l.direction = 1), t.inputs, t.outputs, t.error, t.cache_key
FROM platform.links l JOIN platform.tasks t ON t.run = l.run AND t.id = l.task
WHERE l.artifact = ANY(%(ids)s::bigint[]) GROUP BY t.run, t.path;

-- name: tasks_at
-- The same of groups, by their paths.
SELECT t.run, t.path, t.kind, false, t.inputs, t.outputs, t.error, t.cache_key FROM unnest(%(run)s::bigint[], %(path)s::text[]) AS c (run, path)
JOIN platform.tasks t ON t.run = c.run AND t.path = c.path;

-- name: attempts_at
-- The attempts of tasks.
SELECT a.run, a.path, a.number, a.launched, a.finished FROM unnest(%(run)s::bigint[], %(path)s::text[]) AS c (run, path)
JOIN platform.attempts a ON a.run = c.run AND a.path = c.path;

-- name: events_at
-- Events of tasks; those of the path '' are the run's own.
SELECT e.run, e.seq, e.day, e.path, e.payload FROM unnest(%(run)s::bigint[], %(path)s::text[]) AS c (run, path)
JOIN platform.events e ON e.run = c.run AND e.path = c.path;

-- name: wipe_runs
-- Without what is erased.
UPDATE platform.runs r SET inputs = c.inputs, outputs = c.outputs, error = c.error
FROM unnest(%(run)s::bigint[], %(inputs)s::bytea[], %(outputs)s::bytea[], %(error)s::bytea[]) AS c (run, inputs, outputs, error)
WHERE r.id = c.run;

-- name: wipe_tasks
-- The same.
UPDATE platform.tasks t SET inputs = c.inputs, outputs = c.outputs, error = c.error
FROM unnest(%(run)s::bigint[], %(path)s::text[], %(inputs)s::bytea[], %(outputs)s::bytea[], %(error)s::bytea[])
    AS c (run, path, inputs, outputs, error)
WHERE t.run = c.run AND t.path = c.path;

-- name: wipe_attempts
-- The same.
UPDATE platform.attempts a SET launched = c.launched, finished = c.finished
FROM unnest(%(run)s::bigint[], %(path)s::text[], %(number)s::integer[], %(launched)s::bytea[], %(finished)s::bytea[])
    AS c (run, path, number, launched, finished)
WHERE a.run = c.run AND a.path = c.path AND a.number = c.number;

-- name: wipe_events
-- The same.
UPDATE platform.events e SET payload = c.payload
FROM unnest(%(run)s::bigint[], %(seq)s::bigint[], %(day)s::date[], %(payload)s::bytea[]) AS c (run, seq, day, payload)
WHERE e.run = c.run AND e.seq = c.seq AND e.day = c.day;

-- name: wipe_artifacts
-- The row stays, so that lineage keeps its shape.
UPDATE platform.artifacts a SET payload = c.payload, place = '', uri = '', name = '', digest = ''
FROM unnest(%(id)s::bigint[], %(payload)s::bytea[]) AS c (id, payload) WHERE a.id = c.id;

-- name: wipe_properties
-- Metadata by which they were found, and what people added.
WITH gone AS (
    DELETE FROM platform.metadata_properties WHERE kind = 1 AND node = ANY(%(ids)s::bigint[]) RETURNING node, name, double_value
)
DELETE FROM platform.pipeline_figures f USING gone g JOIN platform.artifact_uses u ON u.artifact = g.node
WHERE f.pipeline = u.pipeline AND f.name = g.name AND f.value = g.double_value AND f.artifact = g.node;

-- name: wipe_nodes
-- Records that people made of the same places, by ML Metadata's API.
WITH wiped AS (
    UPDATE platform.metadata_nodes SET uri = NULL, name = NULL, external_id = NULL, updated_ms = platform.now_us() / 1000
    WHERE kind = 1 AND uri = ANY(%(uris)s::text[]) RETURNING id
)
DELETE FROM platform.metadata_properties WHERE kind = 1 AND node IN (SELECT id FROM wiped);

-- name: wipe_uses
-- Nobody uses what is not there.
DELETE FROM platform.uses WHERE uri = ANY(%(uris)s::text[]);

-- name: doom_for_erasure
-- What waited for its policy.
UPDATE platform.remains SET doomed_at_us = platform.now_us(), erasure = %(erasure)s
WHERE kind = 2 AND uri = ANY(%(uris)s::text[]) RETURNING uri;

-- name: remains_at
-- Which places deleted runs left.
SELECT uri FROM platform.remains WHERE kind = 2 AND uri = ANY(%(uris)s::text[]);

-- name: insert_erasure
-- The record of it.
INSERT INTO platform.erasures (artifact_id, derived, asked_by, reason, asked_at_us, told)
VALUES (%(artifact_id)s, %(derived)s, %(asked_by)s, %(reason)s, platform.now_us(), '') RETURNING id, asked_at_us;

-- name: tell_erasure
-- And what came of it.
UPDATE platform.erasures SET told = %(told)s WHERE id = %(id)s;

-- name: finish_erasures
-- Those of which nothing is left to delete.
UPDATE platform.erasures e SET finished_at_us = platform.now_us()
WHERE e.finished_at_us = 0 AND NOT EXISTS (SELECT FROM platform.remains m WHERE m.erasure = e.id);

-- name: erasures
-- Newest first.
SELECT id, artifact_id, derived, asked_by, reason, asked_at_us, finished_at_us, told FROM platform.erasures
WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s;

-- name: erasure_finished
-- When, or 0.
SELECT finished_at_us FROM platform.erasures WHERE id = %(id)s;

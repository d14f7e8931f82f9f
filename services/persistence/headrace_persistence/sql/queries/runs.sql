-- name: notify
-- Wake-ups for other replicas.
SELECT pg_notify(channel, '') FROM unnest(%(channels)s::text[]) AS channel;

-- name: revisions
-- How far watched runs have come.
SELECT id, revision FROM platform.runs WHERE id = ANY(%(runs)s::bigint[]);

-- name: get_run
-- One run as people see it.
SELECT r.run_id, r.id, r.namespace, r.experiment_id, r.display_name, r.description, r.pipeline_id, r.pipeline_version_id,
    r.pipeline_name, r.parameters_json, r.pipeline_root, r.service_account, r.enable_cache, r.storage_state, r.shown_state,
    r.error, r.outputs, r.revision, r.created_at_us, r.scheduled_at_us, r.started_at_us, r.finished_at_us, r.history,
    r.recurring_run_id, r.task_counts, r.resume, r.pinned, r.logs_deleted_at_us, r.events_deleted_at_us
FROM platform.runs r WHERE r.run_id = %(run_id)s AND NOT r.delete_pending;

-- name: list_runs
-- A page of runs with the number of all, if that is at most 1,000: the marked places are filled by listing.py from its table of fields.
SELECT counted.total, page.*
FROM (
    SELECT count(*) AS total FROM (SELECT FROM platform.runs r WHERE NOT r.delete_pending /*where*/ LIMIT 1001) AS counted
) AS counted LEFT JOIN (
    SELECT /*sort*/ r.created_at_us
        ::text AS sort_value, r.run_id AS key,
        r.run_id, r.id, r.namespace, r.experiment_id, r.display_name, r.description, r.pipeline_id, r.pipeline_version_id,
        r.pipeline_name, r.parameters_json, r.pipeline_root, r.service_account, r.enable_cache, r.storage_state, r.shown_state,
        r.error, r.outputs, r.revision, r.created_at_us, r.scheduled_at_us, r.started_at_us, r.finished_at_us, r.history,
        r.recurring_run_id, r.task_counts, r.resume, r.pinned, r.logs_deleted_at_us, r.events_deleted_at_us
    FROM platform.runs r
    WHERE NOT r.delete_pending /*where*/ /*from*/
    ORDER BY /*order*/ r.created_at_us ASC, r.run_id ASC
    LIMIT %(limit)s
) AS page ON true;

-- name: estimate_runs
-- How many runs fit, as the planner knows it from its statistics; the place is filled as in list_runs.
EXPLAIN (FORMAT JSON) SELECT FROM platform.runs r WHERE NOT r.delete_pending /*where*/;

-- name: get_spec
-- Spec and plan.
SELECT s.spec_json, s.plan, r.inputs FROM platform.runs r JOIN platform.run_specs s ON s.run = r.id
WHERE r.run_id = %(run_id)s AND NOT r.delete_pending;

-- name: find_run
-- What readers of a run's parts need of it.
SELECT id, revision, state, created_at_us FROM platform.runs WHERE run_id = %(run_id)s AND NOT delete_pending;

-- name: list_tasks
-- A page of a run's tasks, in order of creation.
SELECT id, path, parent, kind, state, definition, inputs, outputs, error, waiting_on, iteration_count, cached_from, skip_reason,
    cache_key, created_at_us, started_at_us, finished_at_us, linked_from
FROM platform.tasks WHERE run = %(run)s AND id > %(after)s
ORDER BY id LIMIT %(limit)s;

-- name: get_task
-- One task by its path.
SELECT id, path, parent, kind, state, definition, inputs, outputs, error, waiting_on, iteration_count, cached_from, skip_reason,
    cache_key, created_at_us, started_at_us, finished_at_us, linked_from
FROM platform.tasks WHERE run = %(run)s AND path = %(path)s;

-- name: attempts_of
-- The attempts of a page's tasks.
SELECT path, number, state, launched, finished, created_at_us, finished_at_us
FROM platform.attempts WHERE run = %(run)s AND path = ANY(%(paths)s::text[])
ORDER BY path, number;

-- name: unended
-- Which of these tasks have not ended: what their siblings wait for.
SELECT path FROM platform.tasks WHERE run = %(run)s AND path = ANY(%(paths)s::text[]) AND finished_at_us = 0;

-- name: list_artifacts
-- What the run's runtime tasks and importers put out; groups only pass artifacts on.
SELECT t.path, l.attempt, a.id, a.payload, l.name, l.position
FROM platform.links l
JOIN platform.tasks t ON t.run = l.run AND t.id = l.task AND t.kind IN (1, 2)
JOIN platform.artifacts a ON a.id = l.artifact
WHERE l.run = %(run)s AND l.direction = 2
ORDER BY a.id, t.id, l.name, l.position;

-- name: artifact_ids
-- The bigint ids of artifacts.
SELECT artifact_id, id FROM platform.artifacts WHERE artifact_id = ANY(%(artifact_ids)s::text[]);

-- name: artifacts_at
-- Candidates for each wanted place, newest first, of those that a run of the pipeline links.
SELECT w.number, a.id, a.payload
FROM unnest(%(places)s::bytea[], %(namespaces)s::text[], %(pipelines)s::text[])
     WITH ORDINALITY AS w (place, namespace, pipeline, number)
CROSS JOIN LATERAL (
    SELECT a.id, a.payload FROM platform.artifacts a
    WHERE a.place = w.place AND EXISTS (
        SELECT FROM platform.links l JOIN platform.runs r ON r.id = l.run
        WHERE l.artifact = a.id AND r.namespace = w.namespace AND r.pipeline_name = w.pipeline OFFSET 0
    )
    ORDER BY a.id DESC LIMIT 100
) AS a
ORDER BY w.number, a.id DESC;

-- name: read_events
-- Events after a seq, with where the run is, from one snapshot; no row where the run is gone.
SELECT r.revision, r.shown_state, e.payload
FROM platform.runs r LEFT JOIN LATERAL (
    SELECT e.seq, e.payload FROM platform.events e
    WHERE e.run = r.id AND e.day = r.day AND e.seq > %(after)s ORDER BY e.seq LIMIT %(limit)s
) AS e ON true
WHERE r.id = %(run)s
ORDER BY e.seq;

-- name: run_usage
-- Accelerator time of a run's attempts by task and product; of one that has not ended up to now.
WITH clock AS MATERIALIZED (SELECT platform.now_us() AS now)
SELECT path, accelerator, count(*),
    sum(CASE WHEN finished_at_us = 0 THEN accelerators * greatest(now - created_at_us, 0) ELSE asked_us END)::bigint,
    sum(CASE WHEN finished_at_us <> 0 OR running_at_us = 0 THEN used_us
        ELSE accelerators * greatest(now - running_at_us, 0) END)::bigint
FROM platform.attempts, clock WHERE run = %(run)s AND accelerators > 0
GROUP BY path, accelerator ORDER BY path, accelerator;

-- name: namespace_usage
-- The accounts of one namespace or all, within days.
SELECT namespace, day, accelerator, attempts, asked_us, used_us FROM platform.accelerator_use
WHERE (%(namespace)s::text = '' OR namespace = %(namespace)s::text) AND day BETWEEN %(first)s::date AND %(last)s::date
ORDER BY namespace, day, accelerator;

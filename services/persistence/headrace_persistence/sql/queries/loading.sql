-- name: read_snapshot
-- All statements that follow in this transaction see the database as it is now.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: active_runs
-- Runs of held shards that have not ended.
SELECT r.id FROM platform.runs r JOIN platform.shards s ON s.shard = r.shard
WHERE s.session_id = %(session_id)s AND r.shard = ANY(%(shards)s::smallint[]) AND r.finished_at_us = 0
ORDER BY r.id;

-- name: named_runs
-- These runs, ended or not, of held shards.
SELECT r.id FROM platform.runs r JOIN platform.shards s ON s.shard = r.shard
WHERE s.session_id = %(session_id)s AND r.run_id = ANY(%(run_ids)s::text[])
ORDER BY r.id;

-- name: load_runs
-- What the engine needs of runs.
SELECT r.run_id, r.id, r.namespace, r.revision, r.state, p.plan, r.inputs, r.display_name, r.pipeline_root, r.enable_cache,
    r.created_at_us, r.scheduled_at_us, r.started_at_us, r.retried_at_us, r.run_exit_tasks, r.resetting, r.resume,
    r.caching
FROM platform.runs r JOIN platform.run_specs p ON p.run = r.id
WHERE r.id = ANY(%(runs)s::bigint[])
ORDER BY r.id;

-- name: load_tasks
-- Their tasks, but those inside groups that ended well (SUCCEEDED or SKIPPED): a retry of the run needs those of the others. A task is
-- inside one if its parent has ended, because a group ends last.
SELECT t.run, t.path, t.kind, t.definition, t.state, t.inputs, t.outputs, t.iteration_count, t.attempts, t.user_failures,
    t.infrastructure_failures, t.attempt_state, t.handle, t.retry_at_us, t.waiting_on, t.error, t.cached_from, t.cache_key,
    t.cache_token, t.created_at_us, t.started_at_us, t.finished_at_us, t.attempt_started_at_us, t.linked_from,
    t.node, t.preemptions
FROM platform.tasks t LEFT JOIN platform.tasks p ON p.run = t.run AND p.path = t.parent AND p.path <> t.path
WHERE t.run = ANY(%(runs)s::bigint[]) AND coalesce(p.state, 0) NOT IN (4, 5)
ORDER BY t.run, t.id;

-- name: load_inside
-- What load_tasks leaves out, as far as a retry needs it.
SELECT t.run, t.path, t.kind, t.definition, t.attempts
FROM platform.tasks t JOIN platform.tasks p ON p.run = t.run AND p.path = t.parent AND p.path <> t.path
WHERE t.run = ANY(%(runs)s::bigint[]) AND p.state IN (4, 5)
ORDER BY t.run, t.id;

-- name: guard_session
-- Held until the commit: whoever ends or takes over the session (DELETE, FOR UPDATE) waits for this append; a renewal does not.
-- The statements of an append find rows by key. Their plans are kept, and one made while a table was small would read it whole
-- for ever after; so for this transaction only plans by key are considered.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)
FROM platform.sessions
WHERE session_id = %(session_id)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
FOR KEY SHARE;

-- name: lock_runs
-- The runs of an append, locked in the order of their ids; `held` says whether the session has the shard.
SELECT r.run_id, r.id, r.revision, r.state, r.day, r.task_counts, coalesce(s.session_id = %(session_id)s, false) AS held
FROM platform.runs r JOIN platform.shards s ON s.shard = r.shard
WHERE r.run_id = ANY(%(run_ids)s::text[])
ORDER BY r.id
FOR UPDATE OF r;

-- name: insert_events
-- One row each.
INSERT INTO platform.events (day, run, seq, time_us, kind, attempt, path, payload)
SELECT * FROM unnest(
    %(day)s::date[], %(run)s::bigint[], %(seq)s::bigint[], %(time_us)s::bigint[], %(kind)s::smallint[], %(attempt)s::integer[],
    %(path)s::text[], %(payload)s::bytea[]
);

-- name: insert_tasks
-- New tasks as they are after all their events of this append; a path that is taken is left out, and so refuses its run.
WITH inserted AS (
    INSERT INTO platform.tasks (
        run, path, parent, kind, state, definition, inputs, outputs, error, waiting_on, iteration_count, cached_from, skip_reason,
        cache_key, cache_token, attempts, user_failures, infrastructure_failures, attempt_state, handle, retry_at_us, created_at_us,
        started_at_us, finished_at_us, attempt_started_at_us, linked_from, node, preemptions
    )
    SELECT * FROM unnest(
        %(run)s::bigint[], %(path)s::text[], %(parent)s::text[], %(kind)s::smallint[], %(state)s::smallint[],
        %(definition)s::bytea[], %(inputs)s::bytea[], %(outputs)s::bytea[], %(error)s::bytea[], %(waiting_on)s::bytea[],
        %(iteration_count)s::integer[], %(cached_from)s::text[], %(skip_reason)s::text[], %(cache_key)s::text[],
        %(cache_token)s::text[], %(attempts)s::integer[], %(user_failures)s::integer[], %(infrastructure_failures)s::integer[],
        %(attempt_state)s::smallint[], %(handle)s::text[], %(retry_at_us)s::bigint[], %(created_at_us)s::bigint[],
        %(started_at_us)s::bigint[], %(finished_at_us)s::bigint[], %(attempt_started_at_us)s::bigint[], %(linked_from)s::text[],
        %(node)s::text[], %(preemptions)s::integer[]
    )
    ON CONFLICT (run, path) DO NOTHING
    RETURNING run, id, state, finished_at_us, greatest(created_at_us, started_at_us, finished_at_us) / 1000 AS ended_ms
), ended AS (
    INSERT INTO platform.task_ends (ended_ms, task) SELECT i.ended_ms, i.id FROM inserted i WHERE i.finished_at_us <> 0
), listed AS (
    INSERT INTO platform.pipeline_tasks (pipeline, task)
    SELECT p.id, i.id FROM inserted i
    JOIN platform.runs r ON r.id = i.run
    JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
)
SELECT run, 0::smallint, state, count(*) FROM inserted GROUP BY run, state;

-- name: update_tasks
-- Tasks that exist, each once for all its events. `moves` has four bits for each state that the row may be in: the state
-- that follows, 0 = forbidden. NULL = as it is. Answers how many went from which state to which, for each run. Rows are found
-- once, by their key, and then by their place, which cannot change while the run's row is locked.
WITH change AS (
    SELECT * FROM unnest(
        %(run)s::bigint[], %(path)s::text[], %(moves)s::bigint[], %(inputs)s::bytea[], %(outputs)s::bytea[], %(error)s::bytea[],
        %(waiting_on)s::bytea[], %(iteration_count)s::integer[], %(cached_from)s::text[], %(skip_reason)s::text[],
        %(cache_key)s::text[], %(cache_token)s::text[], %(attempts)s::integer[], %(failures_kept)s::integer[],
        %(user_failures)s::integer[], %(infrastructure_failures)s::integer[], %(attempt_state)s::smallint[], %(handle)s::text[],
        %(retry_at_us)s::bigint[], %(started_at_us)s::bigint[], %(finished_at_us)s::bigint[], %(attempt_started_at_us)s::bigint[],
        %(next_attempt)s::integer[], %(linked_from)s::text[], %(node)s::text[], %(preemptions)s::integer[]
    ) AS c (
        run, path, moves, inputs, outputs, error, waiting_on, iteration_count, cached_from, skip_reason, cache_key, cache_token,
        attempts, failures_kept, user_failures, infrastructure_failures, attempt_state, handle, retry_at_us, started_at_us,
        finished_at_us, attempt_started_at_us, next_attempt, linked_from, node, preemptions
    )
), before AS (
    SELECT t.ctid AS place, t.state AS was, CASE WHEN t.finished_at_us <> 0
        THEN greatest(t.created_at_us, t.started_at_us, t.finished_at_us) / 1000 END AS had_ended_ms, c.*
    FROM change c JOIN platform.tasks t ON t.run = c.run AND t.path = c.path
), updated AS (
    UPDATE platform.tasks t SET
        state = (c.moves >> (4 * t.state)) & 15,
        inputs = coalesce(c.inputs, t.inputs),
        outputs = coalesce(c.outputs, t.outputs),
        error = coalesce(c.error, t.error),
        waiting_on = coalesce(c.waiting_on, t.waiting_on),
        iteration_count = coalesce(c.iteration_count, t.iteration_count),
        cached_from = coalesce(c.cached_from, t.cached_from),
        skip_reason = coalesce(c.skip_reason, t.skip_reason),
        cache_key = coalesce(c.cache_key, t.cache_key),
        cache_token = coalesce(c.cache_token, t.cache_token),
        attempts = coalesce(c.attempts, t.attempts),
        user_failures = t.user_failures * c.failures_kept + c.user_failures,
        infrastructure_failures = t.infrastructure_failures * c.failures_kept + c.infrastructure_failures,
        attempt_state = coalesce(c.attempt_state, t.attempt_state),
        handle = coalesce(c.handle, t.handle),
        retry_at_us = coalesce(c.retry_at_us, t.retry_at_us),
        started_at_us = coalesce(c.started_at_us, t.started_at_us),
        finished_at_us = coalesce(c.finished_at_us, t.finished_at_us),
        attempt_started_at_us = coalesce(c.attempt_started_at_us, t.attempt_started_at_us),
        linked_from = coalesce(c.linked_from, t.linked_from),
        node = coalesce(c.node, t.node),
        preemptions = t.preemptions * c.failures_kept + c.preemptions
    FROM before c
    WHERE t.ctid = c.place AND (c.moves >> (4 * t.state)) & 15 <> 0
        AND (c.next_attempt IS NULL OR c.next_attempt > t.attempts)
    RETURNING t.run, t.id, c.was, t.state, c.had_ended_ms, CASE WHEN t.finished_at_us <> 0
        THEN greatest(t.created_at_us, t.started_at_us, t.finished_at_us) / 1000 END AS ended_ms
), ended AS (
    INSERT INTO platform.task_ends (ended_ms, task)
    SELECT u.ended_ms, u.id FROM updated u WHERE u.ended_ms IS NOT NULL AND u.ended_ms IS DISTINCT FROM u.had_ended_ms
), begun_again AS (
    DELETE FROM platform.task_ends e USING updated u
    WHERE e.ended_ms = u.had_ended_ms AND e.task = u.id AND u.ended_ms IS DISTINCT FROM u.had_ended_ms
)
SELECT run, was, state, count(*) FROM updated GROUP BY run, was, state;

-- name: insert_attempts
-- Attempts that started in this append; a number that is taken is left out, and so refuses its run. Answers how many there are for
-- each run, and whether any of them has ended that held accelerators.
WITH inserted AS (
    INSERT INTO platform.attempts (
        run, path, number, state, started, launched, finished, created_at_us, finished_at_us, accelerators, accelerator, running_at_us,
        asked_us, used_us
    )
    SELECT run, path, number, state, started, launched, finished, created_at_us, finished_at_us, accelerators, accelerator,
        running_at_us, accelerators * greatest(finished_at_us - created_at_us, 0),
        CASE WHEN running_at_us = 0 OR accelerator = 'none' THEN 0 ELSE accelerators * greatest(ended_at_us - running_at_us, 0) END
    FROM unnest(
        %(run)s::bigint[], %(path)s::text[], %(number)s::integer[], %(state)s::smallint[], %(started)s::bytea[],
        %(launched)s::bytea[], %(finished)s::bytea[], %(created_at_us)s::bigint[], %(finished_at_us)s::bigint[],
        %(accelerators)s::integer[], %(accelerator)s::text[], %(running_at_us)s::bigint[], %(ended_at_us)s::bigint[]
    ) AS c (
        run, path, number, state, started, launched, finished, created_at_us, finished_at_us, accelerators, accelerator, running_at_us,
        ended_at_us
    )
    ON CONFLICT (run, path, number) DO NOTHING
    RETURNING run, accelerators > 0 AND finished_at_us <> 0 AS counts
)
SELECT run, count(*), bool_or(counts) FROM inserted GROUP BY run;

-- name: update_attempts
-- Attempts that had started before; `moves` as in update_tasks, the answer as insert_attempts'.
WITH updated AS (
    UPDATE platform.attempts a SET
        state = (c.moves >> (4 * a.state)) & 15,
        launched = coalesce(c.launched, a.launched),
        finished = coalesce(c.finished, a.finished),
        finished_at_us = coalesce(c.finished_at_us, a.finished_at_us),
        accelerator = coalesce(c.accelerator, a.accelerator),
        running_at_us = coalesce(c.running_at_us, a.running_at_us),
        asked_us = CASE WHEN c.finished_at_us IS NULL THEN a.asked_us
            ELSE a.accelerators * greatest(c.finished_at_us - a.created_at_us, 0) END,
        used_us = CASE WHEN c.ended_at_us IS NULL OR coalesce(c.running_at_us, a.running_at_us) = 0
            OR coalesce(c.accelerator, a.accelerator) = 'none' THEN a.used_us
            ELSE a.accelerators * greatest(c.ended_at_us - coalesce(c.running_at_us, a.running_at_us), 0) END
    FROM unnest(
        %(run)s::bigint[], %(path)s::text[], %(number)s::integer[], %(moves)s::bigint[], %(launched)s::bytea[],
        %(finished)s::bytea[], %(finished_at_us)s::bigint[], %(accelerator)s::text[], %(running_at_us)s::bigint[],
        %(ended_at_us)s::bigint[]
    ) AS c (run, path, number, moves, launched, finished, finished_at_us, accelerator, running_at_us, ended_at_us)
    WHERE a.run = c.run AND a.path = c.path AND a.number = c.number AND (c.moves >> (4 * a.state)) & 15 <> 0
    RETURNING a.run, a.accelerators > 0 AND c.finished_at_us IS NOT NULL AS counts
)
SELECT run, count(*), bool_or(counts) FROM updated GROUP BY run;

-- name: note_images
-- Of attempts that were launched: a message to which fields are appended has them set. Rows in one order, as appends take them.
WITH noted AS (
    SELECT a.run, a.path, a.number, c.more
    FROM unnest(%(runs)s::text[], %(paths)s::text[], %(numbers)s::integer[], %(more)s::bytea[]) AS c (run_id, path, number, more)
    JOIN platform.runs r ON r.run_id = c.run_id
    JOIN platform.attempts a ON a.run = r.id AND a.path = c.path AND a.number = c.number
    WHERE a.launched <> '' AND position(c.more IN a.launched) = 0
    ORDER BY a.run, a.path, a.number
    FOR UPDATE OF a
)
UPDATE platform.attempts a SET launched = a.launched || n.more FROM noted n
WHERE a.run = n.run AND a.path = n.path AND a.number = n.number RETURNING 1;

-- name: add_accelerator_use
-- Attempts that ended in this append, to the accounts of their namespaces; in one order, so that two appends cannot wait for each other.
INSERT INTO platform.accelerator_use AS u (namespace, day, accelerator, attempts, asked_us, used_us)
SELECT r.namespace, (to_timestamp(a.finished_at_us / 1e6) AT TIME ZONE 'UTC')::date AS day, a.accelerator,
    count(*), sum(a.asked_us), sum(a.used_us)
FROM unnest(%(run)s::bigint[], %(path)s::text[], %(number)s::integer[]) AS c (run, path, number)
JOIN platform.attempts a ON a.run = c.run AND a.path = c.path AND a.number = c.number AND a.accelerators > 0
JOIN platform.runs r ON r.id = a.run
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
ON CONFLICT (namespace, day, accelerator) DO UPDATE SET
    attempts = u.attempts + excluded.attempts,
    asked_us = u.asked_us + excluded.asked_us,
    used_us = u.used_us + excluded.used_us;

-- name: insert_artifacts
-- Artifacts not seen before, in the order of their ids, so that two appends cannot wait for each other.
INSERT INTO platform.artifacts (artifact_id, created_at_us, payload, place, type_name, uri, name, digest)
SELECT * FROM unnest(
    %(artifact_id)s::text[], %(created_at_us)s::bigint[], %(payload)s::bytea[], %(place)s::bytea[], %(type_name)s::text[],
    %(uri)s::text[], %(name)s::text[], %(digest)s::text[]
)
ON CONFLICT (artifact_id) DO NOTHING;

-- name: insert_links
-- Lineage, and which pipelines' runs an artifact has to do with, and with which figures. The lock keeps a deletion of another run from taking the artifact meanwhile.
WITH linked AS (
    INSERT INTO platform.links (run, task, direction, name, position, artifact, attempt)
    SELECT c.run, t.id, c.direction, c.name, c.position, a.id, t.attempts
    FROM unnest(
        %(run)s::bigint[], %(path)s::text[], %(direction)s::smallint[], %(name)s::text[], %(position)s::integer[],
        %(artifact_id)s::text[]
    ) AS c (run, path, direction, name, position, artifact_id)
    JOIN platform.tasks t ON t.run = c.run AND t.path = c.path
    JOIN platform.artifacts a ON a.artifact_id = c.artifact_id
    FOR KEY SHARE OF a
    ON CONFLICT (run, task, direction, name, position) DO UPDATE SET artifact = excluded.artifact, attempt = excluded.attempt
    RETURNING run, direction, artifact
), used AS MATERIALIZED (
    SELECT p.id AS pipeline, l.artifact, bool_or(l.direction = 2) AS written
    FROM linked l
    JOIN platform.runs r ON r.id = l.run
    JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
    GROUP BY p.id, l.artifact
), figured AS (
    INSERT INTO platform.pipeline_figures (pipeline, name, value, artifact)
    SELECT u.pipeline, m.name, m.double_value, u.artifact
    FROM used u JOIN platform.metadata_properties m ON m.kind = 1 AND m.node = u.artifact AND m.custom AND m.made
    WHERE u.written AND m.double_value <> 'NaN'
    ORDER BY 1, 2, 3, 4
    ON CONFLICT DO NOTHING
)
INSERT INTO platform.artifact_uses (pipeline, artifact)
SELECT u.pipeline, u.artifact FROM used u
ORDER BY 1, 2
ON CONFLICT DO NOTHING;

-- name: consume_inbox
-- What these appends apply; the keys stay. An applied terminate or retry is no longer pending.
WITH consumed AS (
    UPDATE platform.inbox i SET consumed_at_us = platform.now_us(), request = ''
    FROM unnest(%(run)s::bigint[], %(inbox_id)s::bigint[]) AS c (run, inbox_id)
    WHERE i.inbox_id = c.inbox_id AND i.run = c.run AND i.consumed_at_us = 0
    RETURNING i.run, i.kind
)
UPDATE platform.runs r SET terminate_pending = r.terminate_pending AND NOT c.terminate, retry_pending = r.retry_pending AND NOT c.retry
FROM (SELECT run, bool_or(kind = 4) AS terminate, bool_or(kind = 5) AS retry FROM consumed GROUP BY run) AS c
WHERE r.id = c.run AND (c.terminate AND r.terminate_pending OR c.retry AND r.retry_pending);

-- name: update_runs
-- Each run once for all its events; `moves` as in update_tasks, NULL = as it is.
UPDATE platform.runs r SET
    revision = c.revision,
    state = (c.moves >> (4 * r.state)) & 15,
    task_counts = c.task_counts::integer[],
    inputs = coalesce(c.inputs, r.inputs),
    outputs = coalesce(c.outputs, r.outputs),
    error = coalesce(c.error, r.error),
    history = r.history || c.history,
    started_at_us = coalesce(c.started_at_us, r.started_at_us),
    finished_at_us = coalesce(c.finished_at_us, r.finished_at_us),
    retried_at_us = coalesce(c.retried_at_us, r.retried_at_us),
    run_exit_tasks = coalesce(c.run_exit_tasks, r.run_exit_tasks),
    resetting = coalesce(c.resetting, r.resetting)
FROM unnest(
    %(run)s::bigint[], %(expected)s::bigint[], %(revision)s::bigint[], %(moves)s::bigint[], %(task_counts)s::text[],
    %(inputs)s::bytea[], %(outputs)s::bytea[], %(error)s::bytea[], %(history)s::bytea[], %(started_at_us)s::bigint[],
    %(finished_at_us)s::bigint[], %(retried_at_us)s::bigint[], %(run_exit_tasks)s::boolean[], %(resetting)s::boolean[]
) AS c (
    run, expected, revision, moves, task_counts, inputs, outputs, error, history, started_at_us, finished_at_us, retried_at_us,
    run_exit_tasks, resetting
)
WHERE r.id = c.run AND r.revision = c.expected AND (c.moves >> (4 * r.state)) & 15 <> 0
RETURNING r.id;

-- name: task_states
-- For the message about a refused run: what its tasks and their last attempts are.
SELECT path, state, attempts, attempt_state FROM platform.tasks WHERE run = %(run)s AND path = ANY(%(paths)s::text[]);

-- name: lock_artifacts_of
-- Before a deletion: waits for appends that are linking these artifacts.
SELECT a.id FROM platform.artifacts a
WHERE a.id IN (SELECT artifact FROM platform.links WHERE run = ANY(%(runs)s::bigint[]))
ORDER BY a.id
FOR UPDATE;

-- name: delete_links
-- Part of deleting runs.
DELETE FROM platform.links WHERE run = ANY(%(runs)s::bigint[]);

-- name: delete_artifact_uses
-- After their links: what no other run of the same pipeline has to do with, and its figures.
WITH gone AS (
    DELETE FROM platform.artifact_uses u
    USING (
        SELECT DISTINCT p.id, p.name FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
        WHERE r.id = ANY(%(runs)s::bigint[])
    ) AS p
    WHERE u.pipeline = p.id AND u.artifact = ANY(%(artifacts)s::bigint[]) AND NOT EXISTS (
        SELECT FROM platform.links l JOIN platform.runs r ON r.id = l.run
        WHERE l.artifact = u.artifact AND left(r.pipeline_name, 200) = p.name OFFSET 0
    )
    RETURNING u.pipeline, u.artifact
)
DELETE FROM platform.pipeline_figures f
USING gone g JOIN platform.metadata_properties m ON m.kind = 1 AND m.node = g.artifact AND m.custom AND m.made
WHERE f.pipeline = g.pipeline AND f.name = m.name AND f.value = m.double_value AND f.artifact = g.artifact;

-- name: delete_orphans
-- Artifacts that no task of any run reads or wrote any more, and nothing that people put names.
DELETE FROM platform.artifacts a
WHERE a.id = ANY(%(artifacts)s::bigint[])
    AND NOT EXISTS (SELECT FROM platform.links l WHERE l.artifact = a.id)
    AND NOT EXISTS (SELECT FROM platform.metadata_events e WHERE e.artifact = a.id)
    AND NOT EXISTS (SELECT FROM platform.metadata_attributions m WHERE m.artifact = a.id);

-- name: delete_runs
-- Everything else of the runs; spec and inbox go by cascade.
WITH tasks_gone AS (
        DELETE FROM platform.tasks WHERE run = ANY(%(runs)s::bigint[])
        RETURNING run, id, greatest(created_at_us, started_at_us, finished_at_us) / 1000 AS ended_ms
    ),
    ends_gone AS (DELETE FROM platform.task_ends e USING tasks_gone t WHERE e.ended_ms = t.ended_ms AND e.task = t.id),
    listed_gone AS (
        DELETE FROM platform.pipeline_tasks l
        USING tasks_gone t JOIN platform.runs r ON r.id = t.run JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
        WHERE l.pipeline = p.id AND l.task = t.id
    ),
    feed_gone AS (DELETE FROM platform.feed WHERE run = ANY(%(runs)s::bigint[])),
    attempts_gone AS (DELETE FROM platform.attempts WHERE run = ANY(%(runs)s::bigint[])),
    exports_gone AS (DELETE FROM platform.span_exports WHERE run = ANY(%(runs)s::bigint[])),
    events_gone AS (DELETE FROM platform.events WHERE run = ANY(%(runs)s::bigint[]) AND day = ANY(%(days)s::date[]))
DELETE FROM platform.runs WHERE id = ANY(%(runs)s::bigint[]);

-- name: run_id_of
-- The UUID of a run.
SELECT run_id FROM platform.runs WHERE id = %(run)s;

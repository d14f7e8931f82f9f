-- name: delivered_before
-- Now, and what a key was first used for, if it was: a repeated call gets the first answer.
SELECT platform.now_us(), i.inbox_id, i.shard, i.kind, r.run_id
FROM (SELECT 1) AS always LEFT JOIN (platform.inbox i JOIN platform.runs r ON r.id = i.run) ON i.key = %(key)s;

-- name: insert_run
-- A new run, PENDING; its first event and inbox item come in the same transaction.
INSERT INTO platform.runs (
    run_id, namespace, shard, day, experiment_id, display_name, description, pipeline_id, pipeline_version_id, pipeline_name,
    pipeline_root, service_account, source, recurring_run_id, enable_cache, parameters_json, state, revision, inputs, history,
    created_at_us, scheduled_at_us, resume, caching
) VALUES (
    %(run_id)s, %(namespace)s, %(shard)s, %(day)s, %(experiment_id)s, %(display_name)s, %(description)s, %(pipeline_id)s,
    %(pipeline_version_id)s, %(pipeline_name)s, %(pipeline_root)s, %(service_account)s, %(source)s, %(recurring_run_id)s,
    %(enable_cache)s, %(parameters_json)s, %(state)s, 1, %(inputs)s, %(history)s, %(created_at_us)s, %(scheduled_at_us)s,
    %(resume)s, %(caching)s
)
ON CONFLICT (run_id) DO NOTHING
RETURNING id;

-- name: insert_spec
-- The run's spec and plan.
INSERT INTO platform.run_specs (run, spec_json, plan) VALUES (%(run)s, %(spec_json)s, %(plan)s);

-- name: insert_first_event
-- run_created.
INSERT INTO platform.events (day, run, seq, time_us, kind, attempt, path, payload)
VALUES (%(day)s, %(run)s, 1, %(time_us)s, 10, 0, '', %(payload)s);

-- name: insert_inbox
-- Nothing comes back where another call with the key was faster.
INSERT INTO platform.inbox (key, run, shard, kind, delivered_at_us, request)
VALUES (%(key)s, %(run)s, %(shard)s, %(kind)s, %(delivered_at_us)s, %(request)s)
ON CONFLICT (key) DO NOTHING
RETURNING inbox_id;

-- name: lock_run
-- The run that a request is about.
SELECT id, shard, state, run_exit_tasks, delete_pending FROM platform.runs WHERE run_id = %(run_id)s FOR UPDATE;

-- name: waiting_requests
-- Terminates and retries of a run that no append has consumed, oldest first.
SELECT request FROM platform.inbox WHERE run = %(run)s AND consumed_at_us = 0 AND kind IN (4, 5) ORDER BY inbox_id;

-- name: lock_origin
-- The run that a new one resumes: it stays as it is until the new one is stored.
SELECT shown_state, delete_pending FROM platform.runs WHERE run_id = %(run_id)s FOR SHARE;

-- name: mark_terminating
-- From now on the run reads as CANCELING.
UPDATE platform.runs SET terminate_pending = true WHERE id = %(run)s;

-- name: mark_retrying
-- From now on the run reads as RUNNING.
UPDATE platform.runs SET retry_pending = true WHERE id = %(run)s;

-- name: mark_deleting
-- From now on no reader sees the run. Its cached results stay where all who asked say so.
UPDATE platform.runs SET delete_pending = true, cache_stays = %(keep_cache)s AND (cache_stays OR NOT delete_pending) WHERE id = %(run)s;

-- name: fetch_inbox
-- What waits for the session's shards, oldest first.
SELECT i.inbox_id, i.shard, i.delivered_at_us, i.request
FROM platform.inbox i JOIN platform.shards s ON s.shard = i.shard
WHERE s.session_id = %(session_id)s AND i.consumed_at_us = 0 AND i.inbox_id > %(after)s
ORDER BY i.inbox_id
LIMIT %(limit)s;

-- name: inbox_waits
-- Whether anything waits for the session: the fallback where a hint was lost.
SELECT EXISTS (
    SELECT FROM platform.inbox i JOIN platform.shards s ON s.shard = i.shard
    WHERE s.session_id = %(session_id)s AND i.consumed_at_us = 0
);

-- name: set_run_storage_state
-- Archive or unarchive.
UPDATE platform.runs SET storage_state = %(storage_state)s WHERE run_id = %(run_id)s AND NOT delete_pending RETURNING experiment_id;

-- name: purge_inbox
-- Keys of items consumed long ago.
DELETE FROM platform.inbox WHERE consumed_at_us <> 0 AND consumed_at_us < platform.now_us() - %(age_us)s;

-- name: make_partition
-- The events' partition of a day, ahead of time.
SELECT platform.make_events_partition(%(day)s);

-- name: drop_partition
-- One of the partitions before a day, if it is empty.
SELECT platform.drop_empty_partition(%(before)s);

-- name: share_retention_lock
-- By whoever stores that a run uses a place; they do not wait for each other.
SELECT pg_advisory_xact_lock_shared(hashtext('headrace retention'));

-- name: take_retention_lock
-- By whoever dooms places: nobody is just beginning to use one.
SELECT pg_advisory_xact_lock(hashtext('headrace retention'));

-- name: insert_uses
-- Places outside its own folder that a run uses.
INSERT INTO platform.uses (run, digest, uri)
SELECT u.run, substring(sha256(convert_to(u.uri, 'UTF8')) FOR 16), u.uri
FROM unnest(%(run)s::bigint[], %(uri)s::text[]) AS u (run, uri)
ON CONFLICT (run, digest) DO NOTHING;

-- name: delete_uses
-- Part of deleting runs.
DELETE FROM platform.uses WHERE run = ANY(%(runs)s::bigint[]);

-- name: doomed_among
-- Which of the URIs are on their way out: doomed themselves, or in a doomed folder and not among what it spares.
SELECT DISTINCT u.uri
FROM unnest(%(uris)s::text[]) AS u (uri)
JOIN platform.remains d ON d.doomed_at_us <> 0 AND d.kind IN (1, 2, 5)
    AND (d.uri = u.uri OR starts_with(u.uri, d.uri || '/') OR d.kind <> 1 AND starts_with(d.uri, u.uri || '/'))
WHERE NOT EXISTS (
    SELECT FROM unnest(d.spared) AS s (uri)
    WHERE s.uri = u.uri OR starts_with(u.uri, s.uri || '/') OR starts_with(s.uri, u.uri || '/')
);

-- name: users_among
-- Runs that use the URIs, what lies below them, or folders that they lie in (`above`, with the URI that each is asked for).
SELECT u.uri, r.run_id FROM unnest(%(uris)s::text[]) AS u (uri)
JOIN platform.uses s ON left(s.uri, 500) = left(u.uri, 500) AND s.uri = u.uri
JOIN platform.runs r ON r.id = s.run
UNION
SELECT u.uri, r.run_id FROM unnest(%(uris)s::text[]) AS u (uri)
JOIN platform.uses s ON left(s.uri, 500) >= left(u.uri || '/', 500) AND left(s.uri, 500) <= left(u.uri || '/', 500) || chr(1114111)
    AND starts_with(s.uri, u.uri || '/')
JOIN platform.runs r ON r.id = s.run
UNION
SELECT u.uri, r.run_id FROM unnest(%(below)s::text[], %(above)s::text[]) AS u (uri, above)
JOIN platform.uses s ON left(s.uri, 500) = left(u.above, 500) AND s.uri = u.above
JOIN platform.runs r ON r.id = s.run;

-- name: noted_among
-- URIs that people's ML Metadata names, by nodes of their own or by what they put onto what runs made.
SELECT u.uri FROM unnest(%(uris)s::text[]) AS u (uri)
WHERE EXISTS (SELECT FROM platform.metadata_nodes n WHERE n.uri = u.uri)
    OR EXISTS (
        SELECT FROM platform.artifacts a WHERE a.uri = u.uri
            AND (EXISTS (SELECT FROM platform.metadata_events e WHERE e.artifact = a.id)
                OR EXISTS (SELECT FROM platform.metadata_attributions m WHERE m.artifact = a.id))
    );

-- name: retention_pipelines
-- Where there are runs that have ended, or what deleted ones left.
SELECT namespace, pipeline_name FROM platform.runs WHERE finished_at_us <> 0 GROUP BY 1, 2
UNION
SELECT namespace, pipeline_name FROM platform.remains WHERE kind = 2 GROUP BY 1, 2
ORDER BY 1, 2;

-- name: retention_runs
-- Of one pipeline the ended runs that a limit may take, the oldest first, pinned ones last. A number beyond NULL takes none.
SELECT run_id, created_at_us, finished_at_us, newer, pinned, storage_state = 2, logs_deleted_at_us, events_deleted_at_us FROM (
    SELECT r.*, count(*) FILTER (WHERE NOT r.pinned) OVER (
        PARTITION BY r.storage_state ORDER BY r.created_at_us DESC, r.run_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS newer
    FROM platform.runs r
    WHERE left(r.pipeline_name, 200) = left(%(pipeline_name)s::text, 200) AND r.pipeline_name = %(pipeline_name)s::text
        AND r.namespace = %(namespace)s::text AND r.finished_at_us <> 0 AND NOT r.delete_pending AND NOT r.retry_pending
) AS ranked
WHERE CASE WHEN storage_state = 2 THEN finished_at_us < %(archived_before)s::bigint OR newer >= %(archived_beyond)s::bigint
        ELSE finished_at_us < %(runs_before)s::bigint OR newer >= %(runs_beyond)s::bigint END
    OR (logs_deleted_at_us < finished_at_us AND (finished_at_us < %(logs_before)s::bigint OR newer >= %(logs_beyond)s::bigint))
    OR (events_deleted_at_us < finished_at_us AND (finished_at_us < %(traces_before)s::bigint OR newer >= %(traces_beyond)s::bigint))
ORDER BY pinned, created_at_us, run_id
LIMIT %(most)s;

-- name: resuming_runs
-- Runs that have not ended and go on from another one.
SELECT run_id, resume FROM platform.runs WHERE finished_at_us = 0 AND resume <> '' AND NOT delete_pending;

-- name: artifacts_of_runs
-- What runs put into their own folders.
SELECT DISTINCT a.uri, r.run_id, r.namespace, r.pipeline_name, a.created_at_us, a.payload
FROM platform.runs r
JOIN platform.links l ON l.run = r.id AND l.direction = 2
JOIN platform.artifacts a ON a.id = l.artifact AND position('/' || r.run_id || '/' IN a.uri) > 0
WHERE r.run_id = ANY(%(run_ids)s::text[]);

-- name: leftovers
-- Artifacts of one pipeline's deleted runs that are still in the store, the oldest first.
SELECT uri, run_id, created_at_us, size FROM platform.remains
WHERE kind = 2 AND doomed_at_us = 0 AND namespace = %(namespace)s AND pipeline_name = %(pipeline_name)s
ORDER BY created_at_us, uri
LIMIT %(most)s;

-- name: runs_there
-- Which of these runs are there.
SELECT run_id FROM platform.runs WHERE run_id = ANY(%(run_ids)s::text[]);

-- name: lock_for_retention
-- Runs that a plan takes, as they are now.
SELECT id, run_id, shard, finished_at_us, pinned, delete_pending, retry_pending, storage_state, revision, namespace, pipeline_name,
    created_at_us
FROM platform.runs WHERE run_id = ANY(%(run_ids)s::text[]) ORDER BY id FOR UPDATE;

-- name: mark_logs_deleted
-- From now on readers know why there is no log.
UPDATE platform.runs SET logs_deleted_at_us = platform.now_us() WHERE id = ANY(%(runs)s::bigint[]);

-- name: mark_events_deleted
-- From now on readers know why there is no trace.
UPDATE platform.runs SET events_deleted_at_us = platform.now_us() WHERE id = ANY(%(runs)s::bigint[]);

-- name: insert_remains
-- What is to go, or waits for its policy. What is there already stays as it is.
INSERT INTO platform.remains (kind, uri, run_id, namespace, pipeline_name, created_at_us, size, drop_cache, doomed_at_us, upto, erasure)
SELECT c.kind, c.uri, c.run_id, c.namespace, c.pipeline_name, c.created_at_us, c.size, c.drop_cache,
    CASE WHEN c.doomed THEN platform.now_us() ELSE 0 END, c.upto, c.erasure
FROM unnest(%(kind)s::smallint[], %(uri)s::text[], %(run_id)s::text[], %(namespace)s::text[], %(pipeline_name)s::text[],
    %(created_at_us)s::bigint[], %(size)s::bigint[], %(drop_cache)s::boolean[], %(doomed)s::boolean[], %(upto)s::bigint[],
    %(erasure)s::bigint[])
    AS c (kind, uri, run_id, namespace, pipeline_name, created_at_us, size, drop_cache, doomed, upto, erasure)
ON CONFLICT DO NOTHING;

-- name: folders_of_runs
-- The runs' own folders, by the artifacts that they put out there; and by the logs of their first and last attempts.
SELECT DISTINCT r.id, left(a.uri, position('/' || r.run_id || '/' IN a.uri) + length(r.run_id)), ''::bytea, ''::bytea
FROM platform.runs r
JOIN platform.links l ON l.run = r.id AND l.direction = 2
JOIN platform.artifacts a ON a.id = l.artifact AND position('/' || r.run_id || '/' IN a.uri) > 0
WHERE r.id = ANY(%(runs)s::bigint[])
UNION ALL
(SELECT DISTINCT ON (run) run, '', launched, finished FROM platform.attempts WHERE run = ANY(%(runs)s::bigint[])
ORDER BY run, created_at_us)
UNION ALL
(SELECT DISTINCT ON (run) run, '', launched, finished FROM platform.attempts WHERE run = ANY(%(runs)s::bigint[])
ORDER BY run, created_at_us DESC);

-- name: values_of_runs
-- Inputs and outputs of runs and tasks, for the places of values by reference; asked where no artifact or log tells the folder.
SELECT r.id, r.inputs, r.outputs FROM platform.runs r WHERE r.id = ANY(%(runs)s::bigint[])
UNION ALL
SELECT t.run, t.inputs, t.outputs FROM platform.tasks t WHERE t.run = ANY(%(runs)s::bigint[]) AND (t.inputs <> '' OR t.outputs <> '');

-- name: artifacts_left_by
-- What runs that are being deleted put into their own folders, with their sizes in the payload.
SELECT DISTINCT r.id, a.uri, a.created_at_us, a.payload FROM platform.runs r
JOIN platform.links l ON l.run = r.id AND l.direction = 2 JOIN platform.artifacts a ON a.id = l.artifact
WHERE r.id = ANY(%(runs)s::bigint[]) AND position('/' || r.run_id || '/' IN a.uri) > 0;

-- name: waiting_folders
-- Folders of deleted runs, those first that wait longest.
SELECT id, uri, run_id, drop_cache, spared, swept FROM platform.remains
WHERE kind = 1 AND doomed_at_us = 0 AND id > %(after)s ORDER BY id LIMIT %(most)s;

-- name: lock_waiting
-- The artifacts at these URIs that wait for their policy; until they are doomed.
SELECT id, uri FROM platform.remains WHERE kind = 2 AND doomed_at_us = 0 AND uri = ANY(%(uris)s::text[]) ORDER BY id FOR UPDATE;

-- name: lock_folder
-- A folder, until it is doomed.
SELECT 1 FROM platform.remains WHERE id = %(id)s AND doomed_at_us = 0 FOR UPDATE;

-- name: used_within
-- Places in or around a folder that runs use.
SELECT s.uri FROM platform.uses s WHERE left(s.uri, 500) >= left(%(folder)s::text, 500)
    AND left(s.uri, 500) <= left(%(folder)s::text, 500) || chr(1114111)
    AND (s.uri = %(folder)s::text OR starts_with(s.uri, %(folder)s::text || '/'))
UNION
SELECT s.uri FROM unnest(%(above)s::text[]) AS u (above)
JOIN platform.uses s ON left(s.uri, 500) = left(u.above, 500) AND s.uri = u.above;

-- name: waiting_within
-- Artifacts in the folder of a deleted run that wait for their policy.
SELECT uri FROM platform.remains WHERE run_id = %(run_id)s AND kind = 2 AND doomed_at_us = 0
    AND starts_with(uri, %(folder)s::text || '/');

-- name: doom
-- Decided: no run may begin to use them any more.
UPDATE platform.remains SET doomed_at_us = platform.now_us() WHERE id = ANY(%(ids)s::bigint[]);

-- name: doom_folder
-- The same, but for what somebody uses.
UPDATE platform.remains SET doomed_at_us = platform.now_us(), spared = %(spared)s::text[] WHERE id = %(id)s;

-- name: undoom_folder
-- It is swept; what was spared waits until nobody uses it any more.
UPDATE platform.remains SET doomed_at_us = 0, swept = true, drop_cache = false WHERE id = %(id)s;

-- name: doomed_remains
-- What is to be deleted now, the oldest first.
SELECT id, kind, uri, run_id, namespace, pipeline_name, created_at_us, size, drop_cache, spared, upto, erasure FROM platform.remains
WHERE doomed_at_us <> 0 AND id > %(after)s AND (%(erasure)s::bigint = 0 OR erasure = %(erasure)s::bigint)
ORDER BY id LIMIT %(most)s;

-- name: delete_remains
-- They are done.
DELETE FROM platform.remains WHERE id = ANY(%(ids)s::bigint[]);

-- name: logs_of_run
-- Where the attempts of a run log, a page at a time.
SELECT a.path, a.number, a.launched, a.finished FROM platform.attempts a JOIN platform.runs r ON r.id = a.run
WHERE r.run_id = %(run_id)s AND (a.path, a.number) > (%(path)s, %(number)s) ORDER BY a.path, a.number LIMIT %(most)s;

-- name: delete_some_events
-- Of a run that stays, some at a time; how many there were.
DELETE FROM platform.events e USING (
    SELECT e.run, e.seq, e.day FROM platform.events e JOIN platform.runs r ON r.id = e.run AND e.day = r.day
    WHERE r.run_id = %(run_id)s AND e.seq <= %(upto)s ORDER BY e.seq LIMIT %(most)s
) AS doomed WHERE e.run = doomed.run AND e.seq = doomed.seq AND e.day = doomed.day;

-- name: delete_feed_of
-- What told readers of many runs of events that are gone.
DELETE FROM platform.feed f USING platform.runs r WHERE r.run_id = %(run_id)s AND f.run = r.id AND f.last_seq <= %(upto)s;

-- name: take_lease
-- For so many seconds; nothing comes back where somebody else has it.
INSERT INTO platform.leases (name, holder, expires_at)
VALUES (%(name)s, %(holder)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE leases.holder = excluded.holder OR leases.expires_at < clock_timestamp()
RETURNING 1;

-- name: give_lease
-- Somebody else may go on at once.
DELETE FROM platform.leases WHERE name = %(name)s AND holder = %(holder)s;

-- name: retention_now
-- By Postgres's clock.
SELECT platform.now_us();

-- name: policies
-- All that is said.
SELECT namespace, pipeline_name, kind, max_age_s, max_count, version, changed_at_us FROM platform.retention_policies
WHERE NOT removed AND (%(namespace)s::text = '' OR namespace IN ('', %(namespace)s::text))
ORDER BY namespace, pipeline_name, kind;

-- name: lock_policy
-- The policy that a caller wants to change.
SELECT version, removed FROM platform.retention_policies
WHERE namespace = %(namespace)s AND pipeline_name = %(pipeline_name)s AND kind = %(kind)s FOR UPDATE;

-- name: put_policy
-- Its next version. Two who put the first one at once: one of them, then the other.
INSERT INTO platform.retention_policies AS p (namespace, pipeline_name, kind, max_age_s, max_count, removed, version, changed_at_us)
VALUES (%(namespace)s, %(pipeline_name)s, %(kind)s, %(max_age_s)s, %(max_count)s, %(removed)s, 1, platform.now_us())
ON CONFLICT (namespace, pipeline_name, kind) DO UPDATE SET
    max_age_s = excluded.max_age_s, max_count = excluded.max_count, removed = excluded.removed, version = p.version + 1,
    changed_at_us = excluded.changed_at_us
WHERE p.version = %(expected)s::bigint
RETURNING version, changed_at_us;

-- name: pin_run
-- Whether a policy may take it.
UPDATE platform.runs SET pinned = %(pinned)s WHERE run_id = %(run_id)s AND NOT delete_pending RETURNING 1;

-- name: namespaces_of_runs
-- All that have runs.
SELECT DISTINCT namespace FROM platform.runs;

-- name: scopes_of_runs
-- Whose runs they are, and whether their cached results stay.
SELECT id, namespace, pipeline_name, created_at_us, cache_stays FROM platform.runs WHERE id = ANY(%(runs)s::bigint[]);

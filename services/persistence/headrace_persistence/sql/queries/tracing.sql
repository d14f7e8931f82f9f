-- name: unexported_runs
-- Runs of the last day some of whose events no exporter has seen, the oldest first.
SELECT r.id FROM platform.runs r LEFT JOIN platform.span_exports x ON x.run = r.id
WHERE r.created_at_us > platform.now_us() - %(age_us)s AND coalesce(x.seq, 0) < r.revision AND NOT r.delete_pending
ORDER BY r.created_at_us LIMIT %(limit)s;

-- name: give_up_exports
-- Runs of the day before whose spans nobody received for a day: as if they had been.
INSERT INTO platform.span_exports AS x (run, seq, holder, held_until_us)
SELECT r.id, r.revision, '', 0 FROM platform.runs r LEFT JOIN platform.span_exports e ON e.run = r.id
WHERE r.created_at_us BETWEEN platform.now_us() - 2 * %(age_us)s AND platform.now_us() - %(age_us)s
    AND r.finished_at_us BETWEEN 1 AND platform.now_us() - %(age_us)s AND coalesce(e.seq, 0) < r.revision
ORDER BY r.id
ON CONFLICT (run) DO UPDATE SET seq = greatest(x.seq, excluded.seq);

-- name: claim_exports
-- Runs for one exporter for a while: those that no other one holds, with how far their spans went out; NULL: another one holds it.
WITH claimed AS (
    INSERT INTO platform.span_exports AS x (run, seq, holder, held_until_us)
    SELECT r.id, 0, %(holder)s, platform.now_us() + %(for_us)s
    FROM platform.runs r WHERE r.id = ANY(%(runs)s::bigint[]) AND NOT r.delete_pending
    ORDER BY r.id
    ON CONFLICT (run) DO UPDATE SET holder = excluded.holder, held_until_us = excluded.held_until_us
    WHERE x.holder = excluded.holder OR x.held_until_us < platform.now_us()
    RETURNING x.run, x.seq
)
SELECT r.id, r.run_id, r.display_name, c.seq FROM platform.runs r LEFT JOIN claimed c ON c.run = r.id
WHERE r.id = ANY(%(runs)s::bigint[]) AND NOT r.delete_pending;

-- name: exported_up_to
-- The spans of these runs are received up to these events; with RELEASE other exporters may go on at once.
UPDATE platform.span_exports x
SET seq = greatest(x.seq, c.seq),
    held_until_us = CASE WHEN %(release)s THEN 0 ELSE platform.now_us() + %(for_us)s END
FROM unnest(%(runs)s::bigint[], %(seqs)s::bigint[]) AS c (run, seq)
WHERE x.run = c.run AND x.holder = %(holder)s;

-- name: forget_exports
-- Of runs that are gone.
DELETE FROM platform.span_exports x WHERE NOT EXISTS (SELECT FROM platform.runs r WHERE r.id = x.run);

-- name: iterations_of
-- Of loops, by run and path, how many iterations they have.
SELECT r.run_id, t.path, t.iteration_count
FROM unnest(%(run_ids)s::text[], %(paths)s::text[]) AS asked (run_id, path)
JOIN platform.runs r ON r.run_id = asked.run_id
JOIN platform.tasks t ON t.run = r.id AND t.path = asked.path;

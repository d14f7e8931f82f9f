-- name: unexported_runs
-- At the start: runs of the last day some of whose events no exporter has seen.
SELECT id FROM platform.runs WHERE exported < revision AND created_at_us > platform.now_us() - %(age_us)s;

-- name: trace_heads
-- What a run's spans need besides its events.
SELECT id, run_id, display_name, exported FROM platform.runs WHERE id = ANY(%(runs)s::bigint[]);

-- name: mark_exported
-- How far the spans went out; locked in the order of ids, as appends do.
WITH locked AS (
    SELECT r.id, c.seq FROM unnest(%(runs)s::bigint[], %(seqs)s::bigint[]) AS c (run, seq)
    JOIN platform.runs r ON r.id = c.run
    ORDER BY r.id FOR UPDATE OF r
)
UPDATE platform.runs r SET exported = greatest(r.exported, l.seq) FROM locked l WHERE r.id = l.id;

-- name: watch_events
-- The run's events of these kinds after a seq, up to a number of rows and of bytes, with where the run is, from one snapshot; no row
-- where the run is gone.
SELECT r.revision, r.shown_state, e.payload
FROM platform.runs r LEFT JOIN LATERAL (
    SELECT c.seq, c.payload FROM (
        SELECT b.seq, b.payload, sum(octet_length(b.payload)) OVER (ORDER BY b.seq) - octet_length(b.payload) AS before FROM (
            SELECT e.seq, e.payload FROM platform.events e
            WHERE e.run = r.id AND e.day = r.day AND e.seq > %(after)s
                AND (%(kinds)s::smallint[] = '{}' OR e.kind = ANY(%(kinds)s::smallint[]))
            ORDER BY e.seq LIMIT %(limit)s
        ) AS b
    ) AS c WHERE c.before < %(bytes)s
) AS e ON true
WHERE r.id = %(run)s
ORDER BY e.seq;

-- name: feed_rows
-- Parts of runs' histories from a position on, with their runs where these are still there.
SELECT f.position, f.run, f.first_seq, f.last_seq, r.run_id, r.namespace, r.day
FROM (SELECT * FROM platform.feed WHERE position >= %(position)s ORDER BY position LIMIT %(limit)s) AS f
LEFT JOIN platform.runs r ON r.id = f.run AND NOT r.delete_pending
ORDER BY f.position;

-- name: feed_events
-- The events of such parts, in their order, up to a number of bytes.
SELECT c.place, c.seq, c.payload FROM (
    SELECT w.place, e.seq, e.payload,
        sum(octet_length(e.payload)) OVER (ORDER BY w.place, e.seq) - octet_length(e.payload) AS before
    FROM unnest(%(runs)s::bigint[], %(days)s::date[], %(firsts)s::bigint[], %(lasts)s::bigint[])
        WITH ORDINALITY AS w (run, day, first_seq, last_seq, place)
    JOIN platform.events e ON e.run = w.run AND e.day = w.day AND e.seq BETWEEN w.first_seq AND w.last_seq
) AS c
WHERE c.before < %(bytes)s
ORDER BY c.place, c.seq;

-- name: feed_top
-- The highest position that can be seen.
SELECT coalesce(max(position), 0) FROM platform.feed;

-- name: feed_last
-- The highest position that was ever given.
SELECT last_value FROM platform.feed_position_seq;

-- name: feed_writers
-- The transactions that may have taken a position and not ended: whoever writes the feed holds this lock from before it takes one until
-- its rows can be seen.
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'platform.feed'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

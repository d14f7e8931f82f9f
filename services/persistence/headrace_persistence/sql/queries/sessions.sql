-- name: end_all_sessions
-- A take-over: every session ends and its shards are free; waits for appends in flight, which hold FOR KEY SHARE.
DELETE FROM platform.sessions;

-- name: open_session
-- A new session; its epoch is larger than every earlier one.
INSERT INTO platform.sessions (session_id, holder, address, expires_at)
VALUES (%(session_id)s, %(holder)s, %(address)s, clock_timestamp() + make_interval(secs => %(seconds)s))
RETURNING epoch;

-- name: renew_session
-- Only a session that lives can be renewed, by Postgres's clock alone.
UPDATE platform.sessions SET expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE session_id = %(session_id)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
RETURNING 1;

-- name: lock_session
-- Before shards are given back: FOR UPDATE waits for this session's appends in flight, so that none commits after.
SELECT 1 FROM platform.sessions WHERE session_id = %(session_id)s AND epoch = %(epoch)s FOR UPDATE;

-- name: end_expired_sessions
-- Frees the shards of the dead. One with an append in flight is left for the next time, not waited for.
DELETE FROM platform.sessions WHERE session_id IN (
    SELECT session_id FROM platform.sessions WHERE expires_at <= clock_timestamp() FOR UPDATE SKIP LOCKED
);

-- name: release_shards
-- The holder gives shards back.
UPDATE platform.shards SET session_id = NULL
WHERE session_id = %(session_id)s AND shard = ANY(%(shards)s::smallint[]);

-- name: count_sessions
-- Live sessions: what the fair share is computed from.
SELECT count(*) FROM platform.sessions WHERE expires_at > clock_timestamp();

-- name: held_shards
-- What the session holds.
SELECT shard FROM platform.shards WHERE session_id = %(session_id)s ORDER BY shard;

-- name: claim_shards
-- Free shards, up to a number; what another session is just claiming is skipped.
UPDATE platform.shards SET session_id = %(session_id)s
WHERE shard IN (
    SELECT shard FROM platform.shards WHERE session_id IS NULL ORDER BY shard LIMIT %(wanted)s FOR UPDATE SKIP LOCKED
)
RETURNING shard;

-- name: holder_of_shard
-- The live session that holds a shard.
SELECT sessions.session_id, sessions.address FROM platform.shards JOIN platform.sessions USING (session_id)
WHERE shards.shard = %(shard)s AND sessions.expires_at > clock_timestamp();

-- name: close_session
-- A clean end; the foreign key frees its shards.
DELETE FROM platform.sessions WHERE session_id = %(session_id)s AND epoch = %(epoch)s;

-- name: check_session
-- For reads: whether the session lives.
SELECT 1 FROM platform.sessions
WHERE session_id = %(session_id)s AND epoch = %(epoch)s AND expires_at > clock_timestamp();

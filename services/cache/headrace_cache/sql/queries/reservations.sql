-- name: reserve
-- Take free or expired keys, renew those whose token is shown; the rows that are now the caller's come back.
INSERT INTO cache.reservations (key, token, holder, expires_at)
SELECT r.key, r.token, r.holder, now() + make_interval(secs => %(seconds)s)
FROM unnest(%(keys)s::text[], %(tokens)s::uuid[], %(holders)s::text[]) AS r (key, token, holder)
ORDER BY r.key
ON CONFLICT (key) DO UPDATE SET
    token = excluded.token,
    holder = excluded.holder,
    expires_at = excluded.expires_at
WHERE reservations.token = excluded.token OR reservations.holder = excluded.holder OR reservations.expires_at < now()
RETURNING key, token::text;

-- name: holders
-- Who holds the keys, and for how long still.
SELECT key, holder, extract(epoch FROM expires_at - now())::float8
FROM cache.reservations
WHERE key = ANY(%(keys)s);

-- name: held
-- Of these tokens those that were not given back or spent yet, nor taken by somebody else after their time.
SELECT reservations.key, r.token
FROM cache.reservations JOIN unnest(%(keys)s::text[], %(tokens)s::text[]) AS r (key, token)
    ON reservations.key = r.key AND reservations.token::text = r.token
ORDER BY reservations.key
FOR UPDATE OF reservations;

-- name: release
-- Give back what the token shows to be the caller's.
DELETE FROM cache.reservations
USING unnest(%(keys)s::text[], %(tokens)s::text[]) AS r (key, token)
WHERE reservations.key = r.key AND reservations.token::text = r.token;

-- name: drop_expired
-- Nobody waits for these any more.
DELETE FROM cache.reservations
WHERE expires_at < now() - interval '1 hour';

-- name: put_misses
-- What was asked and not found; the time stays where the same is asked again.
INSERT INTO cache.misses (run_id, path, key, why, ingredients)
SELECT m.run_id, m.path, m.key, m.why, m.ingredients
FROM unnest(%(runs)s::text[], %(paths)s::text[], %(keys)s::text[], %(whys)s::text[], %(ingredients)s::bytea[])
     AS m (run_id, path, key, why, ingredients)
ORDER BY m.run_id, m.path
ON CONFLICT (run_id, path) DO UPDATE SET
    key = excluded.key,
    why = excluded.why,
    ingredients = excluded.ingredients,
    asked_at = CASE WHEN misses.key = excluded.key AND misses.why = excluded.why THEN misses.asked_at ELSE now() END;

-- name: miss
-- How a task of a run was not found.
SELECT key, why, ingredients, (extract(epoch FROM asked_at) * 1000000)::bigint FROM cache.misses
WHERE run_id = %(run_id)s AND path = %(path)s;

-- name: drop_misses
-- Those of a run that is deleted.
DELETE FROM cache.misses WHERE run_id = %(run_id)s;

-- name: drop_old_misses
-- Nobody asks for these any more.
DELETE FROM cache.misses WHERE asked_at < now() - make_interval(days => %(days)s);

-- name: lookup
-- The entries of the keys that there are, and that are not too old (0: none is). A later commit of the key makes it young.
SELECT key, outputs, origin, (extract(epoch FROM created_at) * 1000000)::bigint
FROM cache.entries
WHERE key = ANY(%(keys)s)
  AND (%(max_age)s::float8 = 0 OR created_at > now() - make_interval(secs => %(max_age)s::float8));

-- name: commit_entries
-- Store outputs under their keys; a later commit of the same key wins, a repeated one changes nothing that matters.
INSERT INTO cache.entries (key, namespace, pipeline_name, component, run_id, origin, outputs, ingredients, uris)
SELECT e.key, e.namespace, e.pipeline_name, e.component, e.run_id, e.origin, e.outputs, e.ingredients,
       string_to_array(e.uris, chr(10))
FROM unnest(%(keys)s::text[], %(namespaces)s::text[], %(pipelines)s::text[], %(components)s::text[], %(runs)s::text[],
            %(origins)s::text[], %(outputs)s::bytea[], %(ingredients)s::bytea[], %(uris)s::text[])
     AS e (key, namespace, pipeline_name, component, run_id, origin, outputs, ingredients, uris)
ORDER BY e.key
ON CONFLICT (key) DO UPDATE SET
    run_id = excluded.run_id,
    origin = excluded.origin,
    outputs = excluded.outputs,
    ingredients = excluded.ingredients,
    uris = excluded.uris,
    created_at = now(),
    used_at = now();

-- name: drop_entries
-- Drop by key, by the run that made them, or where an artifact lies below a prefix; empty means "none of these".
DELETE FROM cache.entries
WHERE key = ANY(%(keys)s)
   OR (%(run_id)s::text <> '' AND run_id = %(run_id)s)
   OR (%(uri_prefix)s::text <> ''
       AND EXISTS (SELECT 1 FROM unnest(uris) AS uri WHERE starts_with(uri, %(uri_prefix)s)));

-- name: nearest
-- The newest entry of the same component, to explain a miss by.
SELECT key, origin, ingredients
FROM cache.entries
WHERE namespace = %(namespace)s AND pipeline_name = %(pipeline_name)s AND component = %(component)s
ORDER BY created_at DESC
LIMIT 20;

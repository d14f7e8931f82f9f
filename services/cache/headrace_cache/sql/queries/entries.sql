-- name: lookup
-- The entries of the keys that there are, and how old each is. A later commit of the key makes it young.
SELECT key, outputs, origin, (extract(epoch FROM created_at) * 1000000)::bigint, extract(epoch FROM now() - created_at)::float8
FROM cache.entries
WHERE key = ANY(%(keys)s);

-- name: entered
-- The keys that have an entry, of whatever age.
SELECT key FROM cache.entries WHERE key = ANY(%(keys)s);

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

-- name: drop_entry_uris
-- Before those of a later commit are put.
DELETE FROM cache.entry_uris WHERE key = ANY(%(keys)s);

-- name: put_entry_uris
-- Where the artifacts of entries lie.
INSERT INTO cache.entry_uris (uri, key)
SELECT DISTINCT left(uri, 1000), e.key FROM cache.entries e, unnest(e.uris) AS uri WHERE e.key = ANY(%(keys)s)
ON CONFLICT DO NOTHING;

-- name: drop_entries
-- Drop by key, by the run that made them, or where an artifact lies at a URI or begins with a prefix; empty means "none of these".
DELETE FROM cache.entries USING (
    SELECT e.key FROM cache.entries e WHERE e.key = ANY(%(keys)s)
    UNION
    SELECT e.key FROM cache.entries e WHERE e.run_id = %(run_id)s AND %(run_id)s::text <> ''
    UNION
    SELECT u.key FROM unnest(%(prefixes)s::text[]) AS p (prefix)
    JOIN cache.entry_uris u ON u.uri >= left(p.prefix, 1000) COLLATE "C" AND u.uri <= (left(p.prefix, 1000) || chr(1114111)) COLLATE "C"
    JOIN cache.entries e ON e.key = u.key AND EXISTS (SELECT FROM unnest(e.uris) AS uri WHERE starts_with(uri, p.prefix))
    UNION
    SELECT u.key FROM cache.entry_uris u JOIN cache.entries e ON e.key = u.key AND e.uris && %(uris)s::text[]
    WHERE u.uri = ANY (ARRAY(SELECT left(uri, 1000) FROM unnest(%(uris)s::text[]) AS uri))
) AS doomed
WHERE entries.key = doomed.key;

-- name: entry
-- One entry, to explain a hit by.
SELECT origin, (extract(epoch FROM created_at) * 1000000)::bigint, ingredients FROM cache.entries WHERE key = %(key)s;

-- name: nearest
-- The newest entries of the same component that were there at a time, or of the whole pipeline, to explain a miss by.
SELECT key, origin, (extract(epoch FROM created_at) * 1000000)::bigint, ingredients
FROM cache.entries
WHERE namespace = %(namespace)s AND pipeline_name = %(pipeline_name)s AND key <> %(key)s
  AND (%(component)s::text = '' OR component = %(component)s)
  AND (%(before_us)s::bigint = 0 OR created_at < to_timestamp(%(before_us)s::bigint / 1000000.0))
ORDER BY created_at DESC
LIMIT 50;

-- name: list_entries
-- Of one pipeline those that are too old or too many, the oldest first; `beyond` NULL = any number.
SELECT key, namespace, pipeline_name, origin, (extract(epoch FROM created_at) * 1000000)::bigint, newer, uris FROM (
    SELECT e.*, row_number() OVER (ORDER BY e.created_at DESC, e.key DESC) - 1 AS newer
    FROM cache.entries e WHERE e.namespace = %(namespace)s AND e.pipeline_name = %(pipeline_name)s
) AS ranked
WHERE created_at < to_timestamp(%(before_us)s::bigint / 1000000.0) OR newer >= %(beyond)s::bigint
ORDER BY created_at, key LIMIT %(most)s;

-- name: entries_using
-- Entries of which something lies at one of the places, or begins with one of the prefixes.
SELECT e.key, e.namespace, e.pipeline_name, e.origin, (extract(epoch FROM e.created_at) * 1000000)::bigint, 0, e.uris
FROM cache.entries e WHERE e.key IN (
    SELECT u.key FROM cache.entry_uris u WHERE u.uri = ANY (ARRAY(SELECT left(uri, 1000) FROM unnest(%(uris)s::text[]) AS uri))
    UNION
    SELECT u.key FROM unnest(%(prefixes)s::text[]) AS p (prefix)
    JOIN cache.entry_uris u ON u.uri >= left(p.prefix, 1000) COLLATE "C" AND u.uri <= (left(p.prefix, 1000) || chr(1114111)) COLLATE "C"
)
ORDER BY e.key;

-- name: cached_pipelines
-- The pipelines that have entries.
SELECT namespace, pipeline_name FROM cache.entries GROUP BY 1, 2 ORDER BY 1, 2;

-- name: metadata_now
-- The time of what is put, in milliseconds.
SELECT platform.now_us() / 1000;

-- name: metadata_types_named
-- Types by name and version, with the name of the simple type that they inherit from.
SELECT t.id, t.name, t.version, t.external_id, b.name, t.definition
FROM platform.metadata_types t LEFT JOIN platform.metadata_types b ON b.id = t.base
WHERE t.kind = %(kind)s AND t.name = %(name)s AND t.version = %(version)s;

-- name: lock_metadata_type
-- As metadata_types_named, before it is changed.
SELECT t.id, t.name, t.version, t.external_id, b.name, t.definition
FROM platform.metadata_types t LEFT JOIN platform.metadata_types b ON b.id = t.base
WHERE t.kind = %(kind)s AND t.name = %(name)s AND t.version = %(version)s
FOR UPDATE OF t;

-- name: metadata_types_by_id
-- Types by id.
SELECT t.id, t.name, t.version, t.external_id, b.name, t.definition
FROM platform.metadata_types t LEFT JOIN platform.metadata_types b ON b.id = t.base
WHERE t.kind = %(kind)s AND t.id = ANY(%(ids)s::bigint[])
ORDER BY t.id;

-- name: metadata_types_by_external_id
-- Types by external id.
SELECT t.id, t.name, t.version, t.external_id, b.name, t.definition
FROM platform.metadata_types t LEFT JOIN platform.metadata_types b ON b.id = t.base
WHERE t.kind = %(kind)s AND t.external_id = ANY(%(external_ids)s::text[])
ORDER BY t.id;

-- name: all_metadata_types
-- Every type of a kind.
SELECT t.id, t.name, t.version, t.external_id, b.name, t.definition
FROM platform.metadata_types t LEFT JOIN platform.metadata_types b ON b.id = t.base
WHERE t.kind = %(kind)s
ORDER BY t.id;

-- name: insert_metadata_type
-- A new type; nothing comes back where its name or external id is taken.
INSERT INTO platform.metadata_types (kind, name, version, external_id, base, definition)
VALUES (
    %(kind)s, %(name)s, %(version)s, %(external_id)s,
    (SELECT b.id FROM platform.metadata_types b WHERE b.kind = %(kind)s AND b.name = %(base)s AND b.version = ''),
    %(definition)s
)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: update_metadata_type
-- A type that was widened, or that inherits from now on.
UPDATE platform.metadata_types SET
    external_id = %(external_id)s,
    base = (SELECT b.id FROM platform.metadata_types b WHERE b.kind = %(kind)s AND b.name = %(base)s AND b.version = ''),
    definition = %(definition)s
WHERE id = %(id)s;

-- name: list_metadata_nodes
-- The ids of one page of nodes; the view is replaced by the kind's sources, the comments by the order, the filter and the page's start.
SELECT n.id, /*sort*/ n.id AS place FROM platform.seen_nodes n
WHERE n.kind = %(kind)s /*where*/
ORDER BY place /*direction*/ ASC, id /*direction*/ ASC
LIMIT %(limit)s;

-- name: walk_metadata_property
-- A page of the nodes that have a property, by way of it: for values that many have. The comments are filled as in the query before.
SELECT n.id, w.node AS place FROM platform.metadata_properties w
CROSS JOIN LATERAL (
    SELECT n.kind, n.id, n.type, n.type_name, n.name, n.uri, n.state, n.external_id, n.created_ms, n.updated_ms
    FROM platform.seen_nodes n WHERE n.kind = %(kind)s AND n.id = w.node OFFSET 0
) AS n
WHERE w.kind = %(kind)s /*where*/
ORDER BY w.node /*direction*/ ASC
LIMIT %(limit)s;

-- name: walk_task_ends
-- A page of the tasks that have ended, by the time of that; what people changed comes by another way.
SELECT e.task AS id, e.ended_ms AS place FROM platform.task_ends e
CROSS JOIN LATERAL (
    SELECT n.kind, n.id, n.type, n.type_name, n.name, n.uri, n.state, n.external_id, n.created_ms, n.updated_ms
    FROM platform.seen_tasks n WHERE n.kind = %(kind)s AND n.id = e.task OFFSET 0
) AS n
WHERE NOT EXISTS (SELECT FROM platform.metadata_changes m WHERE m.kind = 0 AND m.node = e.task OFFSET 0) /*where*/
ORDER BY e.ended_ms /*direction*/ ASC, e.task /*direction*/ ASC
LIMIT %(limit)s;

-- name: metadata_nodes
-- Nodes by id, in the order of their ids.
SELECT n.id, n.type, n.type_name, n.name, n.uri, n.state, n.external_id, n.created_ms, n.updated_ms, n.made
FROM platform.seen_nodes n
WHERE n.kind = %(kind)s AND n.id = ANY(%(ids)s::bigint[])
ORDER BY n.id;

-- name: metadata_nodes_named
-- The ids of nodes of a type by name.
SELECT n.id FROM platform.seen_nodes n
WHERE n.kind = %(kind)s AND n.type = %(type)s AND n.name = %(name)s;

-- name: metadata_nodes_by_external_id
-- The ids of nodes by external id.
SELECT n.id, n.external_id FROM platform.seen_nodes n
WHERE n.kind = %(kind)s AND n.external_id = ANY(%(external_ids)s::text[])
ORDER BY n.id;

-- name: metadata_artifacts_at
-- The ids of artifacts by URI.
SELECT n.id FROM platform.seen_nodes n
WHERE n.kind = 1 AND n.uri = ANY(%(uris)s::text[])
ORDER BY n.id;

-- name: metadata_properties
-- What is stored of the properties of nodes.
SELECT p.node, p.custom, p.name, p.int_value, p.double_value, p.string_value, p.bool_value, p.other
FROM platform.metadata_properties p
WHERE p.kind = %(kind)s AND p.node = ANY(%(ids)s::bigint[]) AND NOT p.made;

-- name: lock_metadata_node
-- Before a node that people put is changed.
SELECT n.id FROM platform.metadata_nodes n WHERE n.id = %(id)s FOR UPDATE;

-- name: insert_metadata_node
-- A new node; nothing comes back where its name or external id is taken.
INSERT INTO platform.metadata_nodes (kind, type, name, uri, state, external_id, created_ms, updated_ms)
VALUES (%(kind)s, %(type)s, %(name)s, %(uri)s, %(state)s, %(external_id)s, %(now_ms)s, %(now_ms)s)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: update_metadata_node
-- A node's own columns.
UPDATE platform.metadata_nodes SET
    name = %(name)s, uri = %(uri)s, state = %(state)s, external_id = %(external_id)s,
    updated_ms = greatest(%(now_ms)s, updated_ms + 1)
WHERE id = %(id)s;

-- name: touch_made_node
-- That people changed a node which a run made.
INSERT INTO platform.metadata_changes AS c (kind, node, updated_ms) VALUES (%(kind)s, %(id)s, %(now_ms)s)
ON CONFLICT (kind, node) DO UPDATE SET updated_ms = greatest(excluded.updated_ms, c.updated_ms + 1);

-- name: delete_metadata_properties
-- Properties that are taken away.
DELETE FROM platform.metadata_properties p USING unnest(%(custom)s::boolean[], %(name)s::text[]) AS gone (custom, name)
WHERE p.kind = %(kind)s AND p.node = %(id)s AND p.custom = gone.custom AND p.name = gone.name AND NOT p.made;

-- name: put_metadata_properties
-- Properties that are new or have another value.
INSERT INTO platform.metadata_properties (
    kind, node, custom, name, int_value, double_value, string_value, bool_value, other
)
SELECT %(kind)s::smallint, %(id)s::bigint, *
FROM unnest(
    %(custom)s::boolean[], %(name)s::text[], %(int_value)s::bigint[], %(double_value)s::float8[],
    %(string_value)s::text[], %(bool_value)s::boolean[], %(other)s::bytea[]
)
ON CONFLICT (kind, node, custom, name) DO UPDATE SET
    int_value = excluded.int_value, double_value = excluded.double_value, string_value = excluded.string_value,
    bool_value = excluded.bool_value, other = excluded.other;

-- name: keep_artifact
-- Whether an artifact that a run made is there; the lock keeps a deletion of the run from taking it before this transaction ends.
SELECT a.id FROM platform.artifacts a WHERE a.id = %(id)s FOR KEY SHARE;

-- name: insert_metadata_event
-- That an execution of somebody's read or wrote an artifact.
INSERT INTO platform.metadata_events (artifact, execution, type, time_ms, path)
VALUES (%(artifact)s, %(execution)s, %(type)s, %(time_ms)s, %(path)s)
ON CONFLICT DO NOTHING;

-- name: metadata_events_of_artifacts
-- Events by artifact.
SELECT e.artifact, e.execution, e.type, e.time_ms, e.path, e.name, e.position
FROM platform.seen_events e WHERE e.artifact = ANY(%(ids)s::bigint[])
ORDER BY e.artifact, e.id, e.execution, e.type, e.name, e.position LIMIT %(limit)s;

-- name: metadata_events_of_executions
-- Events by execution.
SELECT e.artifact, e.execution, e.type, e.time_ms, e.path, e.name, e.position
FROM platform.seen_events e WHERE e.execution = ANY(%(ids)s::bigint[])
ORDER BY e.execution, e.id, e.type, e.name, e.position, e.artifact LIMIT %(limit)s;

-- name: insert_attribution
-- An artifact in a context; twice is once.
INSERT INTO platform.metadata_attributions (context, artifact) VALUES (%(context)s, %(node)s)
ON CONFLICT (context, artifact) DO NOTHING;

-- name: insert_association
-- An execution in a context; twice is once.
INSERT INTO platform.metadata_associations (context, execution) VALUES (%(context)s, %(node)s)
ON CONFLICT (context, execution) DO NOTHING;

-- name: is_attributed
-- Whether an artifact is in a context.
SELECT true FROM platform.seen_attributions a WHERE a.context = %(context)s AND a.artifact = %(node)s;

-- name: is_associated
-- Whether an execution is in a context.
SELECT true FROM platform.seen_associations a WHERE a.context = %(context)s AND a.execution = %(node)s;

-- name: attributions_of_artifacts
-- The contexts of artifacts.
SELECT a.context, a.artifact FROM platform.seen_attributions a WHERE a.artifact = ANY(%(ids)s::bigint[])
ORDER BY a.id, a.context, a.artifact;

-- name: associations_of_executions
-- The contexts of executions.
SELECT a.context, a.execution FROM platform.seen_associations a WHERE a.execution = ANY(%(ids)s::bigint[])
ORDER BY a.id, a.context, a.execution;

-- name: lock_parents
-- One change of parent contexts at a time: two at once could make a circle.
SELECT pg_advisory_xact_lock(hashtext('headrace metadata parents'));

-- name: insert_parent
-- A context below another one.
INSERT INTO platform.metadata_parents (parent, child) VALUES (%(parent)s, %(child)s)
ON CONFLICT DO NOTHING;

-- name: is_above
-- Whether a context lies above another one, at any distance, or is it.
WITH RECURSIVE above (id) AS (
    SELECT %(start)s::bigint
    UNION
    SELECT p.parent FROM above a JOIN platform.metadata_parents p ON p.child = a.id
)
SELECT true FROM above WHERE id = %(wanted)s;

-- name: parents_of
-- The contexts right above contexts.
SELECT p.child, p.parent FROM platform.seen_parents p WHERE p.child = ANY(%(ids)s::bigint[]) ORDER BY p.child, p.parent;

-- name: children_of
-- The contexts right below contexts.
SELECT p.parent, p.child FROM platform.seen_parents p WHERE p.parent = ANY(%(ids)s::bigint[]) ORDER BY p.parent, p.child;

-- name: made_artifacts
-- Artifacts that runs made.
SELECT a.id, a.payload FROM platform.artifacts a WHERE a.id = ANY(%(ids)s::bigint[]);

-- name: made_runs
-- Runs as contexts, with one of their artifacts that lies where the run publishes.
SELECT r.id, r.run_id, r.pipeline_name, r.namespace, r.pipeline_root, (
    SELECT a.uri FROM platform.links l JOIN platform.artifacts a ON a.id = l.artifact
    WHERE l.run = r.id AND l.direction = 2 AND strpos(a.uri, '/' || r.run_id || '/') > 0 LIMIT 1
)
FROM platform.runs r WHERE r.id = ANY(%(ids)s::bigint[]);

-- name: made_plan
-- What a run's tasks are made from, where it is not too large to be read for a page of them.
SELECT s.plan FROM platform.run_specs s WHERE s.run = %(run)s AND octet_length(s.plan) <= %(most)s;

-- name: made_small_plans
-- The same of several runs, where they are small.
SELECT s.run, s.plan FROM platform.run_specs s WHERE s.run = ANY(%(runs)s::bigint[]) AND octet_length(s.plan) <= %(most)s;

-- name: made_roots
-- Runs as the executions of their root DAGs.
SELECT r.id, r.display_name, r.inputs, r.outputs
FROM platform.runs r WHERE r.id = ANY(%(ids)s::bigint[]);

-- name: made_tasks
-- Tasks as executions: what holds them, how many tasks are right in them, whose results a cached one has.
SELECT k.id, k.run, k.path, k.kind, k.definition, k.inputs, k.outputs, k.iteration_count, k.handle, k.cache_key,
    coalesce(d.id, k.run),
    CASE WHEN k.cached_from <> '' THEN (SELECT o.id FROM platform.runs f JOIN platform.tasks o ON o.run = f.id
        WHERE f.run_id = split_part(k.cached_from, '/', 1)
            AND o.path = substr(k.cached_from, strpos(k.cached_from, '/') + 1)) END,
    r.namespace
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run
LEFT JOIN platform.tasks d ON d.run = k.run AND d.path = k.parent
WHERE k.id = ANY(%(ids)s::bigint[])
ORDER BY k.run;

-- name: insert_artifact_types
-- Types of artifacts that no run had made before, in one order, so that two appends cannot wait for each other.
INSERT INTO platform.metadata_types (kind, name, version, definition)
SELECT 1, name, '', '' FROM unnest(%(name)s::text[]) AS new (name)
ORDER BY name
ON CONFLICT (kind, name, version) DO NOTHING;

-- name: insert_artifact_metadata
-- The scalars of artifacts' metadata, to find artifacts by.
INSERT INTO platform.metadata_properties (kind, node, custom, name, made, int_value, double_value, string_value)
SELECT 1, a.id, true, c.name, true, c.int_value, c.double_value, c.string_value
FROM unnest(
    %(artifact_id)s::text[], %(name)s::text[], %(int_value)s::bigint[], %(double_value)s::float8[],
    %(string_value)s::text[]
) AS c (artifact_id, name, int_value, double_value, string_value)
JOIN platform.artifacts a ON a.artifact_id = c.artifact_id
ON CONFLICT (kind, node, custom, name) DO NOTHING;

-- name: pipeline_context
-- Whether a context is a pipeline's.
SELECT p.id FROM platform.pipeline_contexts p WHERE p.id = %(id)s;

-- name: insert_pipeline_context
-- The context of all runs of one pipeline name, and where they run.
WITH made AS (
    INSERT INTO platform.pipeline_contexts (name, created_at_us) VALUES (%(name)s, %(created_at_us)s)
    ON CONFLICT (name) DO NOTHING RETURNING id
), known AS (
    SELECT id FROM made UNION ALL SELECT id FROM platform.pipeline_contexts WHERE name = %(name)s
), in_experiment AS (
    INSERT INTO platform.pipeline_experiments (experiment_id, pipeline) SELECT %(experiment_id)s, id FROM known
    ON CONFLICT DO NOTHING
)
INSERT INTO platform.pipeline_namespaces (namespace, pipeline) SELECT %(namespace)s, id FROM known
ON CONFLICT DO NOTHING;

-- name: delete_metadata_of_artifacts
-- What was put onto artifacts that are deleted.
WITH properties_gone AS (
    DELETE FROM platform.metadata_properties p
    WHERE p.kind = 1 AND p.node = ANY(%(artifacts)s::bigint[])
        AND NOT EXISTS (SELECT FROM platform.artifacts a WHERE a.id = p.node)
)
DELETE FROM platform.metadata_changes c
WHERE c.kind = 1 AND c.node = ANY(%(artifacts)s::bigint[])
    AND NOT EXISTS (SELECT FROM platform.artifacts a WHERE a.id = c.node);

-- name: delete_metadata_of_runs
-- What was put onto runs and tasks that are deleted, and what connected them with nodes that people put.
WITH gone AS MATERIALIZED (
    SELECT k.id FROM platform.tasks k WHERE k.run = ANY(%(runs)s::bigint[])
    UNION ALL SELECT unnest(%(runs)s::bigint[])
), properties_gone AS (
    DELETE FROM platform.metadata_properties p WHERE p.kind IN (0, 2) AND p.node IN (SELECT id FROM gone)
), changes_gone AS (
    DELETE FROM platform.metadata_changes c WHERE c.kind IN (0, 2) AND c.node IN (SELECT id FROM gone)
), parents_gone AS (
    DELETE FROM platform.metadata_parents m WHERE m.child = ANY(%(runs)s::bigint[])
)
DELETE FROM platform.metadata_associations a WHERE a.execution IN (SELECT id FROM gone);

-- ML Metadata's public API over the platform's own rows (ADR 0019).
ALTER TABLE platform.artifacts
    ADD COLUMN type_name text COLLATE "C" NOT NULL DEFAULT 'system.Artifact',
    ADD COLUMN uri text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN name text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX artifacts_uri ON platform.artifacts USING hash (uri);
CREATE INDEX artifacts_type ON platform.artifacts (type_name, id);
CREATE INDEX artifacts_created_ms ON platform.artifacts ((created_at_us / 1000), id);
CREATE UNIQUE INDEX tasks_id ON platform.tasks (id);
CREATE INDEX tasks_created_ms ON platform.tasks ((created_at_us / 1000), id);
CREATE INDEX runs_of_pipeline_name ON platform.runs (left(pipeline_name, 200), id);
CREATE INDEX runs_created_ms ON platform.runs ((created_at_us / 1000), id);

-- ── ML Metadata: what people put by its API lies in metadata_*; the views seen_* show it together with what runs made ──
-- Kinds are ML Metadata's: 0 execution, 1 artifact, 2 context. Times in milliseconds, as its API has them.

CREATE TABLE platform.metadata_types (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    kind smallint NOT NULL CHECK (kind IN (0, 1, 2)),
    name text COLLATE "C" NOT NULL CHECK (name <> ''),
    version text COLLATE "C" NOT NULL,  -- '' = none
    external_id text COLLATE "C",
    base bigint REFERENCES platform.metadata_types,  -- the simple type that it inherits from
    definition bytea NOT NULL,  -- a serialised ArtifactType, ExecutionType or ContextType with what is not in columns
    CONSTRAINT metadata_types_name UNIQUE (kind, name, version),
    CONSTRAINT metadata_types_external_id UNIQUE (kind, external_id)
);

-- What people put.
CREATE TABLE platform.metadata_nodes (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    kind smallint NOT NULL,
    type bigint NOT NULL REFERENCES platform.metadata_types,
    name text COLLATE "C",
    uri text COLLATE "C",
    state smallint,
    external_id text COLLATE "C",
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    CONSTRAINT metadata_nodes_name UNIQUE (type, name),
    CONSTRAINT metadata_nodes_external_id UNIQUE (kind, external_id)
);
CREATE INDEX metadata_nodes_list ON platform.metadata_nodes (kind, id);
CREATE INDEX metadata_nodes_created ON platform.metadata_nodes (kind, created_ms, id);
CREATE INDEX metadata_nodes_updated ON platform.metadata_nodes (kind, updated_ms, id);
CREATE INDEX metadata_nodes_uri ON platform.metadata_nodes USING hash (uri);

-- Properties: all of those of people's nodes; of nodes that runs made what people added to them, and the metadata of their artifacts
-- (`made`), which is here to be found by.
CREATE TABLE platform.metadata_properties (
    kind smallint NOT NULL,
    node bigint NOT NULL,
    custom boolean NOT NULL,
    name text COLLATE "C" NOT NULL,
    made boolean NOT NULL DEFAULT false,
    int_value bigint,
    double_value double precision,
    string_value text COLLATE "C",
    bool_value boolean,
    other bytea,  -- a serialised Value that holds a struct or a message
    PRIMARY KEY (kind, node, custom, name)
);
CREATE INDEX metadata_properties_int ON platform.metadata_properties (kind, name, int_value) WHERE int_value IS NOT NULL;
CREATE INDEX metadata_properties_string ON platform.metadata_properties (kind, name, left(string_value, 64)) WHERE string_value IS NOT NULL;
CREATE INDEX metadata_properties_double ON platform.metadata_properties (kind, name, double_value) WHERE double_value IS NOT NULL;

-- When people last changed a node that a run made.
CREATE TABLE platform.metadata_changes (
    kind smallint NOT NULL,
    node bigint NOT NULL,
    updated_ms bigint NOT NULL,
    PRIMARY KEY (kind, node)
);

CREATE TABLE platform.metadata_events (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    artifact bigint NOT NULL,
    execution bigint NOT NULL,
    type smallint NOT NULL,
    time_ms bigint NOT NULL,
    path bytea NOT NULL,  -- a serialised Event.Path
    CONSTRAINT metadata_events_key UNIQUE (artifact, execution, type)
);
CREATE INDEX metadata_events_execution ON platform.metadata_events (execution);

CREATE TABLE platform.metadata_attributions (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    context bigint NOT NULL,
    artifact bigint NOT NULL,
    CONSTRAINT metadata_attributions_key UNIQUE (context, artifact)
);
CREATE INDEX metadata_attributions_artifact ON platform.metadata_attributions (artifact);

CREATE TABLE platform.metadata_associations (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    context bigint NOT NULL,
    execution bigint NOT NULL,
    CONSTRAINT metadata_associations_key UNIQUE (context, execution)
);
CREATE INDEX metadata_associations_execution ON platform.metadata_associations (execution);

CREATE TABLE platform.metadata_parents (
    parent bigint NOT NULL,
    child bigint NOT NULL,
    CONSTRAINT metadata_parents_key PRIMARY KEY (parent, child)
);
CREATE INDEX metadata_parents_child ON platform.metadata_parents (child);

-- The contexts system.Pipeline: one for each name that a run's pipeline had (its first 200 characters: an index holds no more).
CREATE TABLE platform.pipeline_contexts (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    name text COLLATE "C" NOT NULL CONSTRAINT pipeline_contexts_name UNIQUE,
    created_at_us bigint NOT NULL
);

INSERT INTO platform.metadata_types (kind, name, version, definition)
SELECT kind, name, '', '' FROM (VALUES
    (1, 'mlmd.Dataset'), (1, 'mlmd.Model'), (1, 'mlmd.Metrics'), (1, 'mlmd.Statistics'),
    (0, 'mlmd.Train'), (0, 'mlmd.Transform'), (0, 'mlmd.Process'), (0, 'mlmd.Evaluate'), (0, 'mlmd.Deploy'),
    (1, 'system.Artifact'), (1, 'system.Dataset'), (1, 'system.Model'), (1, 'system.Metrics'),
    (1, 'system.ClassificationMetrics'), (1, 'system.SlicedClassificationMetrics'), (1, 'system.HTML'), (1, 'system.Markdown'),
    (0, 'system.DAGExecution'), (0, 'system.ContainerExecution'), (0, 'system.ImporterExecution'),
    (2, 'system.Pipeline'), (2, 'system.PipelineRun')
) AS made (kind, name);

-- Every node, a view for each of the tables that they come from. A run is the context system.PipelineRun and, with the same id, the
-- execution of its root DAG.
CREATE VIEW platform.seen_put (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT n.kind, n.id, n.type, t.name AS type_name, n.name, n.uri, n.state, n.external_id, n.created_ms, n.updated_ms,
    false AS made
FROM platform.metadata_nodes n JOIN platform.metadata_types t ON t.id = n.type;

CREATE VIEW platform.seen_artifacts (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 1::smallint, a.id, t.id, t.name, NULL::text, a.uri, 2::smallint, a.artifact_id, a.created_at_us / 1000,
    coalesce(c.updated_ms, a.created_at_us / 1000), true
FROM platform.artifacts a
JOIN platform.metadata_types t ON t.kind = 1 AND t.name = a.type_name AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 1 AND c.node = a.id;

CREATE VIEW platform.seen_tasks (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 0::smallint, k.id, t.id, t.name, NULL::text, NULL::text,
    CASE WHEN k.state = 4 AND k.cached_from <> '' THEN 5 ELSE (ARRAY[1, 1, 2, 3, 6, 4, 6])[k.state] END::smallint,
    NULL::text, k.created_at_us / 1000,
    greatest(k.created_at_us / 1000, k.started_at_us / 1000, k.finished_at_us / 1000, coalesce(c.updated_ms, 0)), true
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
JOIN platform.metadata_types t ON t.kind = 0 AND t.version = ''
    AND t.name = CASE k.kind WHEN 1 THEN 'system.ContainerExecution' WHEN 2 THEN 'system.ImporterExecution' ELSE 'system.DAGExecution' END
LEFT JOIN platform.metadata_changes c ON c.kind = 0 AND c.node = k.id;

CREATE VIEW platform.seen_roots (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 0::smallint, r.id, t.id, t.name, 'run/' || r.run_id, NULL::text, (ARRAY[1, 2, 2, 3, 4, 6])[r.shown_state]::smallint,
    NULL::text, r.created_at_us / 1000,
    greatest(r.created_at_us / 1000, r.started_at_us / 1000, r.finished_at_us / 1000, coalesce(c.updated_ms, 0)), true
FROM platform.runs r
JOIN platform.metadata_types t ON t.kind = 0 AND t.name = 'system.DAGExecution' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 0 AND c.node = r.id
WHERE NOT r.delete_pending;

CREATE VIEW platform.seen_run_contexts (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 2::smallint, r.id, t.id, t.name, r.run_id, NULL::text, NULL::smallint, NULL::text, r.created_at_us / 1000,
    coalesce(c.updated_ms, r.created_at_us / 1000), true
FROM platform.runs r
JOIN platform.metadata_types t ON t.kind = 2 AND t.name = 'system.PipelineRun' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 2 AND c.node = r.id
WHERE NOT r.delete_pending;

CREATE VIEW platform.seen_pipeline_contexts (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 2::smallint, p.id, t.id, t.name, p.name, NULL::text, NULL::smallint, NULL::text, p.created_at_us / 1000,
    coalesce(c.updated_ms, p.created_at_us / 1000), true
FROM platform.pipeline_contexts p
JOIN platform.metadata_types t ON t.kind = 2 AND t.name = 'system.Pipeline' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 2 AND c.node = p.id;

CREATE VIEW platform.seen_nodes AS
SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_put
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_artifacts
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_tasks
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_roots
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_run_contexts
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_pipeline_contexts;

-- Properties to filter by: those that are stored, and those of runs' executions and contexts that are columns there.
CREATE VIEW platform.seen_properties AS
SELECT p.kind, p.node, p.custom, p.name, p.int_value, p.double_value, p.string_value, p.bool_value
FROM platform.metadata_properties p
UNION ALL
SELECT 0::smallint, k.id, true, 'task_name', NULL, NULL, regexp_replace(k.path, '^.*/|\[\d+\]$', '', 'g'), NULL FROM platform.tasks k
UNION ALL
SELECT 0::smallint, r.id, true, 'task_name', NULL, NULL, '', NULL FROM platform.runs r
UNION ALL
SELECT 1::smallint, a.id, true, 'display_name', NULL, NULL, a.name, NULL FROM platform.artifacts a
UNION ALL
SELECT 0::smallint, k.id, true, 'parent_dag_id', coalesce(d.id, k.run), NULL, NULL, NULL
FROM platform.tasks k LEFT JOIN platform.tasks d ON d.run = k.run AND d.path = k.parent
UNION ALL
SELECT 0::smallint, k.id, true, 'iteration_index', substring(k.path FROM '\[(\d+)\]$')::bigint, NULL, NULL, NULL
FROM platform.tasks k WHERE k.path LIKE '%]'
UNION ALL
SELECT 0::smallint, k.id, true, 'iteration_count', k.iteration_count, NULL, NULL, NULL FROM platform.tasks k WHERE k.kind = 4
UNION ALL
SELECT 0::smallint, k.id, true, 'cache_fingerprint', NULL, NULL, k.cache_key, NULL FROM platform.tasks k WHERE k.cache_key <> ''
UNION ALL
SELECT 0::smallint, k.id, true, 'namespace', NULL, NULL, r.namespace, NULL
FROM platform.tasks k JOIN platform.runs r ON r.id = k.run WHERE k.kind = 1
UNION ALL
SELECT 2::smallint, r.id, true, 'namespace', NULL, NULL, r.namespace, NULL FROM platform.runs r
UNION ALL
SELECT 2::smallint, r.id, true, 'resource_name', NULL, NULL, r.pipeline_name || '-' || r.run_id, NULL FROM platform.runs r;

-- Who read and wrote what. The path of what runs made is one step: `name` is its key; `path` is a serialised Event.Path.
CREATE VIEW platform.seen_events AS
SELECT e.id, e.artifact, e.execution, e.type, e.time_ms, e.path, NULL AS name, 0 AS position, false AS made
FROM platform.metadata_events e
UNION ALL
SELECT 0, l.artifact, k.id, CASE l.direction WHEN 1 THEN 3 ELSE 4 END::smallint,
    (CASE WHEN l.direction = 1 AND k.started_at_us > 0 THEN k.started_at_us
        WHEN k.finished_at_us > 0 THEN k.finished_at_us ELSE k.created_at_us END) / 1000,
    NULL, l.name, l.position, true
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
JOIN platform.links l ON l.run = k.run AND l.task = k.id;

CREATE VIEW platform.seen_attributions AS
SELECT a.context, a.artifact, a.id, false AS made FROM platform.metadata_attributions a
UNION ALL
SELECT DISTINCT l.run, l.artifact, 0::bigint, true
FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
UNION ALL
SELECT DISTINCT p.id, l.artifact, 0::bigint, true
FROM platform.links l
JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200);

CREATE VIEW platform.seen_associations AS
SELECT a.context, a.execution, a.id, false AS made FROM platform.metadata_associations a
UNION ALL
SELECT k.run, k.id, 0, true FROM platform.tasks k JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
UNION ALL
SELECT r.id, r.id, 0, true FROM platform.runs r WHERE NOT r.delete_pending
UNION ALL
SELECT p.id, k.id, 0, true
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
UNION ALL
SELECT p.id, r.id, 0, true
FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
WHERE NOT r.delete_pending;

CREATE VIEW platform.seen_parents AS
SELECT m.parent, m.child, false AS made FROM platform.metadata_parents m
UNION ALL
SELECT p.id, r.id, true
FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
WHERE NOT r.delete_pending;

-- What is here already. Names of types and URIs are read from the serialised artifacts, once, by a small reader of that format.
CREATE FUNCTION platform.text_field(message bytea, wanted integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE place integer := 0; length integer := length(message); tag bigint; size bigint; found text := '';
    number bigint; shift integer; part integer;
BEGIN
    WHILE place < length LOOP
        tag := NULL;
        LOOP  -- a tag, then what a length or a number after it says
            number := 0; shift := 0;
            LOOP
                part := get_byte(message, place); place := place + 1;
                number := number | ((part & 127)::bigint << shift); shift := shift + 7;
                EXIT WHEN part < 128;
            END LOOP;
            EXIT WHEN tag IS NOT NULL OR (number & 7) NOT IN (0, 2);
            tag := number;
        END LOOP;
        tag := coalesce(tag, number);
        size := CASE tag & 7 WHEN 2 THEN number WHEN 1 THEN 8 WHEN 5 THEN 4 ELSE 0 END;
        IF tag >> 3 = wanted AND tag & 7 = 2 THEN
            found := convert_from(substring(message FROM place + 1 FOR size::integer), 'UTF8');
        END IF;
        place := place + size;
    END LOOP;
    RETURN found;
EXCEPTION WHEN character_not_in_repertoire OR array_subscript_error THEN RETURN '';
END $$;
UPDATE platform.artifacts SET
    uri = platform.text_field(payload, 6),
    name = platform.text_field(payload, 2),
    type_name = coalesce(nullif(left(platform.text_field(payload, 3), 200), ''), 'system.Artifact');
DROP FUNCTION platform.text_field;
INSERT INTO platform.metadata_types (kind, name, version, definition)
SELECT DISTINCT 1, type_name, '', ''::bytea FROM platform.artifacts
ON CONFLICT (kind, name, version) DO NOTHING;
INSERT INTO platform.pipeline_contexts (name, created_at_us)
SELECT left(pipeline_name, 200), min(created_at_us) FROM platform.runs WHERE pipeline_name <> '' GROUP BY 1;

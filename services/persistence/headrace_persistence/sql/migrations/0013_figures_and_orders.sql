-- Runs of a list are counted up to 1,000 from the index alone, wherever their rows lie.
DROP INDEX platform.runs_of_experiment;
CREATE INDEX runs_of_experiment ON platform.runs (experiment_id, created_at_us, run_id) WHERE NOT delete_pending;
DROP INDEX platform.runs_of_namespace;
CREATE INDEX runs_of_namespace ON platform.runs (namespace, created_at_us, run_id) WHERE NOT delete_pending;
DROP INDEX platform.runs_in_state;
CREATE INDEX runs_in_state ON platform.runs
    (((ARRAY['PENDING','RUNNING','CANCELING','SUCCEEDED','FAILED','CANCELED'])[shown_state]), created_at_us, run_id)
    INCLUDE (shown_state) WHERE NOT delete_pending;
DROP INDEX platform.runs_stored;
CREATE INDEX runs_stored ON platform.runs (((ARRAY['AVAILABLE','ARCHIVED'])[storage_state]), created_at_us, run_id)
    INCLUDE (storage_state) WHERE NOT delete_pending;
-- ML Metadata's order by LAST_UPDATE_TIME: what people changed, and the executions of runs' roots.
CREATE INDEX metadata_changes_updated ON platform.metadata_changes (kind, updated_ms, node);
CREATE INDEX runs_updated_ms ON platform.runs ((greatest(created_at_us, started_at_us, finished_at_us) / 1000), id) WHERE NOT delete_pending;
-- The executions of a pipeline's context, in the order of their ids, which that of runs is not.
CREATE TABLE platform.pipeline_tasks (
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    task bigint NOT NULL
);
INSERT INTO platform.pipeline_tasks (pipeline, task)
SELECT p.id, t.id
FROM platform.tasks t
JOIN platform.runs r ON r.id = t.run
JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200);
ALTER TABLE platform.pipeline_tasks ADD PRIMARY KEY (pipeline, task);
-- The figures that runs of a pipeline put out, to find the best of them.
CREATE TABLE platform.pipeline_figures (
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    name text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    artifact bigint NOT NULL
);
INSERT INTO platform.pipeline_figures (pipeline, name, value, artifact)
SELECT u.pipeline, m.name, m.double_value, m.node
FROM platform.metadata_properties m
JOIN platform.artifact_uses u ON u.artifact = m.node
WHERE m.kind = 1 AND m.custom AND m.made AND m.double_value <> 'NaN';
ALTER TABLE platform.pipeline_figures ADD PRIMARY KEY (pipeline, name, value, artifact);
-- What a root's execution was last changed by its run; the columns before stay as they were.
CREATE OR REPLACE VIEW platform.seen_roots (
    kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made, own_ms
) AS
SELECT 0::smallint, r.id, t.id, t.name, 'run/' || r.run_id, NULL::text, (ARRAY[1, 2, 2, 3, 4, 6])[r.shown_state]::smallint,
    NULL::text, r.created_at_us / 1000,
    greatest(r.created_at_us / 1000, r.started_at_us / 1000, r.finished_at_us / 1000, coalesce(c.updated_ms, 0)), true,
    greatest(r.created_at_us, r.started_at_us, r.finished_at_us) / 1000
FROM platform.runs r
JOIN platform.metadata_types t ON t.kind = 0 AND t.name = 'system.DAGExecution' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 0 AND c.node = r.id
WHERE NOT r.delete_pending;

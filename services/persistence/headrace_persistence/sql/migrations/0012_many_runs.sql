-- Lists of runs by namespace, name, times and state, a page at a time, however many runs there are. The expressions are those of listing.py.
CREATE INDEX runs_of_namespace ON platform.runs (namespace, created_at_us, run_id);
CREATE INDEX runs_of_pipeline ON platform.runs (left(pipeline_name, 200), created_at_us, run_id);
CREATE INDEX runs_named ON platform.runs (left(display_name, 200), run_id);
CREATE INDEX runs_scheduled ON platform.runs (scheduled_at_us, run_id);
CREATE INDEX runs_finished ON platform.runs (finished_at_us, run_id);
CREATE INDEX runs_in_state ON platform.runs
    (((ARRAY['PENDING','RUNNING','CANCELING','SUCCEEDED','FAILED','CANCELED'])[shown_state]), created_at_us, run_id);
CREATE INDEX runs_by_state ON platform.runs
    (((ARRAY['PENDING','RUNNING','CANCELING','SUCCEEDED','FAILED','CANCELED'])[shown_state]), run_id);
CREATE INDEX runs_stored ON platform.runs (((ARRAY['AVAILABLE','ARCHIVED'])[storage_state]), created_at_us, run_id);
-- Artifacts have uses without end: what reads some of them reads them in the order of their tasks.
CREATE INDEX links_of_artifact ON platform.links (artifact, direction, task);
DROP INDEX platform.links_artifact;
-- What ANALYZE estimates of these from a sample is wrong by orders of magnitude, and with it plans.
ALTER TABLE platform.links ALTER run SET (n_distinct = -0.05), ALTER task SET (n_distinct = -0.25), ALTER artifact SET (n_distinct = -0.5);
ALTER TABLE platform.tasks ALTER run SET (n_distinct = -0.1);
ALTER TABLE platform.metadata_properties ALTER node SET (n_distinct = -0.4);
-- The pipelines whose runs read or wrote an artifact, to list artifacts by; and the namespaces that a pipeline ran in.
CREATE TABLE platform.artifact_uses (
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    artifact bigint NOT NULL
);
CREATE TABLE platform.pipeline_namespaces (
    namespace text COLLATE "C" NOT NULL,
    pipeline bigint NOT NULL,
    PRIMARY KEY (namespace, pipeline)
);
INSERT INTO platform.artifact_uses (pipeline, artifact)
SELECT DISTINCT p.id, l.artifact
FROM platform.links l
JOIN platform.runs r ON r.id = l.run
JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200);
ALTER TABLE platform.artifact_uses ADD PRIMARY KEY (artifact, pipeline);
CREATE UNIQUE INDEX artifact_uses_pipeline ON platform.artifact_uses (pipeline, artifact);
INSERT INTO platform.pipeline_namespaces (namespace, pipeline)
SELECT DISTINCT r.namespace, p.id FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200);
CREATE OR REPLACE VIEW platform.seen_attributions AS
SELECT a.context, a.artifact, a.id, false AS made FROM platform.metadata_attributions a
UNION ALL
SELECT DISTINCT l.run, l.artifact, 0::bigint, true
FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
UNION ALL
SELECT u.pipeline, u.artifact, 0::bigint, true FROM platform.artifact_uses u;

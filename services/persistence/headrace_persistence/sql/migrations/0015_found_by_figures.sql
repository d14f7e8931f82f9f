-- Nodes that have a property, in the order of their ids: where many have the value that is asked for, they are walked. Numbers are
-- counted from the index alone.
CREATE INDEX metadata_properties_named ON platform.metadata_properties (kind, name, node);
DROP INDEX platform.metadata_properties_int;
CREATE INDEX metadata_properties_int ON platform.metadata_properties (kind, name, int_value) INCLUDE (custom, node)
    WHERE int_value IS NOT NULL;
DROP INDEX platform.metadata_properties_double;
CREATE INDEX metadata_properties_double ON platform.metadata_properties (kind, name, double_value) INCLUDE (custom, node)
    WHERE double_value IS NOT NULL;
-- The pipelines that ran in an experiment, whose best figures are those of its runs.
CREATE TABLE platform.pipeline_experiments (
    experiment_id text COLLATE "C" NOT NULL,
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    PRIMARY KEY (experiment_id, pipeline)
);
INSERT INTO platform.pipeline_experiments (experiment_id, pipeline)
SELECT DISTINCT r.experiment_id, p.id
FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200);

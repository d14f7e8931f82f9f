-- A pipeline's runs are counted and paged from an index alone: an index on an expression, such as runs_of_pipeline, has every row
-- looked up in the table. Names that are too long for an index stay with that one. The statistics keep the planner from taking the
-- condition on the length for one that leaves a third.
CREATE INDEX runs_by_pipeline ON platform.runs (pipeline_name, created_at_us, run_id) INCLUDE (namespace)
    WHERE NOT delete_pending AND length(pipeline_name) < 200;
CREATE STATISTICS platform.runs_short_names ON (length(pipeline_name)) FROM platform.runs;

-- name: archived_experiment
-- Whether an experiment is archived; held until the commit, so that it is not archived meanwhile.
SELECT 1 FROM platform.experiments WHERE experiment_id = %(experiment_id)s AND storage_state = 2 FOR SHARE;

-- name: insert_experiment
-- Nothing comes back where the name is taken.
INSERT INTO platform.experiments (experiment_id, namespace, display_name, description, created_at_us)
VALUES (%(experiment_id)s, %(namespace)s, %(display_name)s, %(description)s, platform.now_us())
ON CONFLICT ON CONSTRAINT experiments_name DO NOTHING
RETURNING experiment_id;

-- name: experiment_of_name
-- The id of a name that is taken.
SELECT experiment_id FROM platform.experiments WHERE namespace = %(namespace)s AND display_name = %(display_name)s;

-- name: get_experiment
-- One experiment.
SELECT e.experiment_id, e.namespace, e.display_name, e.description, e.storage_state, e.created_at_us,
    coalesce((SELECT max(r.created_at_us) FROM platform.runs r WHERE r.experiment_id = e.experiment_id), 0)
FROM platform.experiments e WHERE e.experiment_id = %(experiment_id)s;

-- name: list_experiments
-- A page of experiments with the number of all; the marked places are filled by listing.py.
WITH e AS (
    SELECT x.experiment_id, x.namespace, x.display_name, x.description, x.storage_state, x.created_at_us,
        coalesce((SELECT max(r.created_at_us) FROM platform.runs r WHERE r.experiment_id = x.experiment_id), 0)
            AS last_run_created_at_us
    FROM platform.experiments x
)
SELECT counted.total, page.*
FROM (
    SELECT count(*) AS total FROM e WHERE true /*where*/
) AS counted LEFT JOIN (
    SELECT /*sort*/ e.created_at_us
        ::text AS sort_value, e.experiment_id AS key,
        e.experiment_id, e.namespace, e.display_name, e.description, e.storage_state, e.created_at_us, e.last_run_created_at_us
    FROM e
    WHERE true /*where*/ /*from*/
    ORDER BY /*order*/ e.created_at_us ASC, e.experiment_id ASC
    LIMIT %(limit)s
) AS page ON true;

-- name: set_experiment_storage_state
-- Archive or unarchive.
UPDATE platform.experiments SET storage_state = %(storage_state)s WHERE experiment_id = %(experiment_id)s RETURNING 1;

-- name: archive_runs_of
-- Archiving an experiment archives its runs.
UPDATE platform.runs SET storage_state = 2 WHERE experiment_id = %(experiment_id)s AND storage_state <> 2;

-- name: delete_experiment
-- Its runs stay.
DELETE FROM platform.experiments WHERE experiment_id = %(experiment_id)s;

-- name: insert_pipeline
-- Nothing comes back where the name is taken.
INSERT INTO platform.pipelines (pipeline_id, namespace, name, display_name, description, tags, created_at_us)
VALUES (%(pipeline_id)s, %(namespace)s, %(name)s, %(display_name)s, %(description)s, %(tags)s, platform.now_us())
ON CONFLICT ON CONSTRAINT pipelines_name DO NOTHING
RETURNING pipeline_id;

-- name: get_pipeline
-- One pipeline.
SELECT p.pipeline_id, p.namespace, p.name, p.display_name, p.description, p.created_at_us, p.tags
FROM platform.pipelines p WHERE p.pipeline_id = %(pipeline_id)s;

-- name: get_pipeline_by_name
-- One pipeline by its unique name.
SELECT p.pipeline_id, p.namespace, p.name, p.display_name, p.description, p.created_at_us, p.tags
FROM platform.pipelines p WHERE p.namespace = %(namespace)s AND p.name = %(name)s;

-- name: list_pipelines
-- A page of pipelines with the number of all; the marked places are filled by listing.py.
SELECT counted.total, page.*
FROM (
    SELECT count(*) AS total FROM platform.pipelines p WHERE true /*where*/
) AS counted LEFT JOIN (
    SELECT /*sort*/ p.created_at_us
        ::text AS sort_value, p.pipeline_id AS key,
        p.pipeline_id, p.namespace, p.name, p.display_name, p.description, p.created_at_us, p.tags
    FROM platform.pipelines p
    WHERE true /*where*/ /*from*/
    ORDER BY /*order*/ p.created_at_us ASC, p.pipeline_id ASC
    LIMIT %(limit)s
) AS page ON true;

-- name: update_pipeline
-- Display name and tags; NULL = as it is.
UPDATE platform.pipelines SET
    display_name = coalesce(%(display_name)s::text, display_name), tags = coalesce(%(tags)s::bytea, tags)
WHERE pipeline_id = %(id)s
RETURNING pipeline_id, namespace, name, display_name, description, created_at_us, tags;

-- name: lock_pipeline
-- Before versions are added, counted or deleted with it.
SELECT pipeline_id FROM platform.pipelines WHERE pipeline_id = %(pipeline_id)s FOR UPDATE;

-- name: count_versions
-- How many versions a pipeline has.
SELECT count(*) FROM platform.pipeline_versions WHERE pipeline_id = %(pipeline_id)s;

-- name: delete_pipeline
-- With its versions, by cascade.
DELETE FROM platform.pipelines WHERE pipeline_id = %(pipeline_id)s;

-- name: insert_version
-- Nothing comes back where the name is taken.
INSERT INTO platform.pipeline_versions (
    pipeline_version_id, pipeline_id, name, display_name, description, tags, code_source_url, package_url, created_at_us,
    spec_json, plan
) VALUES (
    %(pipeline_version_id)s, %(pipeline_id)s, %(name)s, %(display_name)s, %(description)s, %(tags)s, %(code_source_url)s,
    %(package_url)s, platform.now_us(), %(spec_json)s, %(plan)s
)
ON CONFLICT ON CONSTRAINT pipeline_versions_name DO NOTHING
RETURNING pipeline_version_id;

-- name: get_version
-- One version with its spec and plan.
SELECT v.pipeline_version_id, v.pipeline_id, v.name, v.display_name, v.description, v.code_source_url, v.package_url,
    v.created_at_us, v.tags, v.spec_json, v.plan
FROM platform.pipeline_versions v WHERE v.pipeline_version_id = %(pipeline_version_id)s;

-- name: latest_version
-- The newest version of a pipeline.
SELECT v.pipeline_version_id, v.pipeline_id, v.name, v.display_name, v.description, v.code_source_url, v.package_url,
    v.created_at_us, v.tags, v.spec_json, v.plan
FROM platform.pipeline_versions v WHERE v.pipeline_id = %(pipeline_id)s
ORDER BY v.created_at_us DESC, v.pipeline_version_id DESC LIMIT 1;

-- name: list_versions
-- A page of versions, without specs, with the number of all; the marked places are filled by listing.py.
SELECT counted.total, page.*
FROM (
    SELECT count(*) AS total FROM platform.pipeline_versions v WHERE true /*where*/
) AS counted LEFT JOIN (
    SELECT /*sort*/ v.created_at_us
        ::text AS sort_value, v.pipeline_version_id AS key,
        v.pipeline_version_id, v.pipeline_id, v.name, v.display_name, v.description, v.code_source_url, v.package_url,
        v.created_at_us, v.tags
    FROM platform.pipeline_versions v
    WHERE true /*where*/ /*from*/
    ORDER BY /*order*/ v.created_at_us ASC, v.pipeline_version_id ASC
    LIMIT %(limit)s
) AS page ON true;

-- name: update_version
-- Display name and tags; NULL = as it is.
UPDATE platform.pipeline_versions SET
    display_name = coalesce(%(display_name)s::text, display_name), tags = coalesce(%(tags)s::bytea, tags)
WHERE pipeline_version_id = %(id)s
RETURNING pipeline_version_id, pipeline_id, name, display_name, description, code_source_url, package_url, created_at_us, tags;

-- name: delete_version
-- Runs made from it keep their own spec.
DELETE FROM platform.pipeline_versions WHERE pipeline_version_id = %(pipeline_version_id)s RETURNING 1;

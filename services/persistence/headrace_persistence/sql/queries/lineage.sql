-- name: find_artifact
-- The number of an artifact by its UUID or number, where a task of a run that is not deleted reads or writes it.
SELECT a.id FROM platform.artifacts a
WHERE (a.artifact_id = %(artifact_id)s OR a.id = %(id)s)
    AND EXISTS (
        SELECT FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
        WHERE l.artifact = a.id AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text) OFFSET 0
    );

-- name: list_artifact_records
-- A page of artifacts, newest first; the marked places are filled by lineage/finding.py from its tables of filters. OFFSET 0 keeps the
-- planner from joining all links with all artifacts, to find a page of them.
SELECT a.id, a.payload, a.created_at_us FROM platform.artifacts a /*join*/
WHERE a.id < %(before)s AND EXISTS (
    SELECT FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
    WHERE l.artifact = a.id /*link*/ OFFSET 0
) /*where*/
ORDER BY a.id DESC LIMIT %(limit)s;

-- name: list_artifacts_by
-- The same by way of metadata that many have: the first marked place is filled for the artifact, the last for its metadata.
SELECT a.id, a.payload, a.created_at_us FROM platform.metadata_properties w
CROSS JOIN LATERAL (
    SELECT a.id, a.payload, a.created_at_us FROM platform.artifacts a
    WHERE a.id = w.node AND EXISTS (
        SELECT FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
        WHERE l.artifact = a.id /*link*/ OFFSET 0
    ) /*where*/ OFFSET 0
) AS a
WHERE w.kind = 1 AND w.custom AND w.made AND w.node < %(before)s /*walked*/
ORDER BY w.node DESC LIMIT %(limit)s;

-- name: list_artifacts_written
-- The same of those that a run wrote.
SELECT a.id, a.payload, a.created_at_us FROM platform.artifacts a
WHERE a.id < %(before)s AND a.id = ANY(ARRAY(
    SELECT l.artifact FROM platform.links l
    WHERE l.direction = 2 AND l.run = (
        SELECT r.id FROM platform.runs r WHERE r.run_id = %(run_id)s AND NOT r.delete_pending /*link*/
    )
)) /*where*/
ORDER BY a.id DESC LIMIT %(limit)s;

-- name: pipelines_in_namespace
-- The pipelines that ran in a namespace, as far as they are few.
SELECT n.pipeline FROM platform.pipeline_namespaces n WHERE n.namespace = %(namespace)s ORDER BY n.pipeline LIMIT %(most)s;

-- name: pipelines_in_experiment
-- The same of an experiment.
SELECT e.pipeline FROM platform.pipeline_experiments e WHERE e.experiment_id = %(experiment_id)s ORDER BY e.pipeline LIMIT %(most)s;

-- name: pipelines_named
-- The same of a pipeline's name: one, or none.
SELECT p.id FROM platform.pipeline_contexts p WHERE p.name = left(%(pipeline_name)s::text, 200) LIMIT %(most)s;

-- name: artifact_records
-- Artifacts by number.
SELECT a.id, a.payload, a.created_at_us FROM platform.artifacts a WHERE a.id = ANY(%(ids)s::bigint[]) ORDER BY a.id;

-- name: keep_plans
-- For this transaction, whose statements find rows by key: plans that are kept, as making one takes longer than running it.
SELECT set_config('plan_cache_mode', 'force_generic_plan', true);

-- name: artifact_makers
-- Of each artifact the task that put it out first: not one that took it from the cache or another run (`copied`), where there is
-- another among the first of them. Most often it is the first that is looked at.
SELECT a.id, m.task, m.run_id, m.path, m.name, m.position, true, m.namespace, m.pipeline_name
FROM unnest(%(ids)s::bigint[]) AS a (id)
CROSS JOIN LATERAL (
    SELECT w.* FROM (VALUES (false), (true)) AS c (copied)
    CROSS JOIN LATERAL (
        SELECT c.copied, l.task, t.run_id, t.path, l.name, l.position, t.namespace, t.pipeline_name
        FROM (
            SELECT l.run, l.task, l.name, l.position FROM platform.links l
            WHERE l.artifact = a.id AND l.direction = 2 ORDER BY l.task LIMIT 200
        ) AS l
        CROSS JOIN LATERAL (
            SELECT r.run_id, t.path, r.namespace, r.pipeline_name
            FROM platform.tasks t JOIN platform.runs r ON r.id = t.run AND NOT r.delete_pending
            WHERE t.run = l.run AND t.id = l.task AND t.kind IN (1, 2)
                AND (c.copied OR t.cached_from = '' AND t.linked_from = '')
            OFFSET 0
        ) AS t
        ORDER BY l.task LIMIT 1
    ) AS w
    ORDER BY w.copied LIMIT 1
) AS m;

-- name: lineage_steps
-- From artifacts to the tasks that wrote (2) or read (1) them, of each artifact the first ones; groups only pass it on. `copied`: it
-- took its results from the cache or another run. OFFSET 0 has the planner read links in their order, and no more of them than are told.
SELECT a.id, s.task, s.run_id, s.path, s.name, s.position, d.direction = 2, s.namespace, s.pipeline_name, s.run, s.kind, s.copied
FROM unnest(%(ids)s::bigint[]) AS a (id)
CROSS JOIN unnest(%(directions)s::smallint[]) AS d (direction)
CROSS JOIN LATERAL (
    SELECT l.task, t.run_id, t.path, l.name, l.position, t.namespace, t.pipeline_name, l.run, t.kind, t.copied
    FROM platform.links l
    CROSS JOIN LATERAL (
        SELECT t.path, t.kind, t.cached_from <> '' OR t.linked_from <> '' AS copied, r.run_id, r.namespace, r.pipeline_name
        FROM platform.tasks t JOIN platform.runs r ON r.id = t.run AND NOT r.delete_pending
        WHERE t.run = l.run AND t.id = l.task AND t.kind IN (1, 2)
            AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text)
        OFFSET 0
    ) AS t
    WHERE l.artifact = a.id AND l.direction = d.direction
    ORDER BY l.task LIMIT %(each)s
) AS s
ORDER BY s.task, d.direction, s.name, s.position LIMIT %(limit)s;

-- name: lineage_links
-- From tasks to what they read (1) or wrote (2).
SELECT l.artifact, l.task, l.name, l.position
FROM unnest(%(runs)s::bigint[], %(tasks)s::bigint[]) AS c (run, task)
JOIN platform.links l ON l.run = c.run AND l.task = c.task AND l.direction = %(direction)s
ORDER BY l.task, l.name, l.position LIMIT %(limit)s;

-- name: lineage_earlier
-- For artifacts that nobody's code made here (imported, given to a run): the record of what a task had put at the same place before.
SELECT a.id, b.id
FROM platform.artifacts a
CROSS JOIN LATERAL (
    SELECT b.id FROM platform.artifacts b
    WHERE b.uri = a.uri AND b.id < a.id AND EXISTS (
        SELECT FROM platform.links l JOIN platform.tasks t ON t.run = l.run AND t.id = l.task AND t.kind = 1
        JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
        WHERE l.artifact = b.id AND l.direction = 2
            AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text) OFFSET 0
    )
    ORDER BY b.id DESC LIMIT 1
) AS b
WHERE a.id = ANY(%(ids)s::bigint[]) AND a.uri <> '';

-- name: lineage_later
-- The records of the same place that nobody's code made: who imported it from there, or gave it to a run.
SELECT b.id, a.id
FROM platform.artifacts a
CROSS JOIN LATERAL (
    SELECT b.id FROM platform.artifacts b
    WHERE b.uri = a.uri AND b.id > a.id AND EXISTS (
        SELECT FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
        WHERE l.artifact = b.id AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text) OFFSET 0
    ) AND NOT EXISTS (
        SELECT FROM platform.links l JOIN platform.tasks t ON t.run = l.run AND t.id = l.task AND t.kind = 1
        WHERE l.artifact = b.id AND l.direction = 2 OFFSET 0
    )
    ORDER BY b.id LIMIT %(limit)s
) AS b
WHERE a.id = ANY(%(ids)s::bigint[]) AND a.uri <> '';

-- name: lineage_tasks
-- Tasks with what they ran with; of their attempts the last one that was launched.
SELECT t.id, r.run_id, t.path, t.kind, t.state, r.namespace, r.pipeline_name, r.display_name, t.definition, t.inputs, t.cached_from,
    t.linked_from, t.started_at_us, t.finished_at_us, r.pipeline_version_id, t.run, coalesce(a.launched, '')
FROM unnest(%(runs)s::bigint[], %(tasks)s::bigint[]) AS c (run, task)
JOIN platform.tasks t ON t.run = c.run AND t.id = c.task
JOIN platform.runs r ON r.id = t.run
LEFT JOIN LATERAL (
    SELECT a.launched FROM platform.attempts a
    WHERE a.run = t.run AND a.path = t.path AND a.launched <> '' ORDER BY a.number DESC LIMIT 1
) AS a ON true
ORDER BY t.id;

-- name: lineage_plans
-- The plans of runs, each once: those of one version are alike.
SELECT plan, array_agg(run) FROM platform.run_specs WHERE run = ANY(%(runs)s::bigint[]) GROUP BY plan;

-- name: compared_named
-- Runs by id.
SELECT r.id FROM platform.runs r
WHERE r.run_id = ANY(%(run_ids)s::text[]) AND NOT r.delete_pending
    AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text)
    AND (%(pipeline_name)s::text = '' OR r.pipeline_name = %(pipeline_name)s::text)
    AND (%(experiment_id)s::text = '' OR r.experiment_id = %(experiment_id)s::text)
ORDER BY r.id DESC LIMIT %(most)s;

-- name: absent_runs
-- Of ids, those that no run of the namespace has, in their order.
SELECT asked.run_id FROM unnest(%(run_ids)s::text[]) WITH ORDINALITY AS asked (run_id, place)
WHERE NOT EXISTS (
    SELECT FROM platform.runs r
    WHERE r.run_id = asked.run_id AND NOT r.delete_pending
        AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text)
)
ORDER BY asked.place;

-- name: compared_newest
-- The newest runs of an experiment, of a namespace, which the marked place names, or of all; each has an index in this order.
SELECT r.id FROM platform.runs r
WHERE NOT r.delete_pending /*scope*/
ORDER BY r.created_at_us DESC, r.run_id DESC LIMIT %(most)s;

-- name: compared_of_pipeline
-- The newest runs of a pipeline, as the index of its names has them.
SELECT r.id FROM platform.runs r
WHERE left(r.pipeline_name, 200) = left(%(pipeline_name)s::text, 200) AND r.pipeline_name = %(pipeline_name)s
    AND NOT r.delete_pending AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text)
    AND (%(experiment_id)s::text = '' OR r.experiment_id = %(experiment_id)s::text)
ORDER BY r.id DESC LIMIT %(most)s;

-- name: compared_best_among
-- Of some runs those whose figure of a name is the largest (sign 1) or smallest (-1), by that figure.
SELECT l.run
FROM unnest(%(runs)s::bigint[]) AS r (id)
CROSS JOIN LATERAL (
    SELECT l.run, l.task, p.double_value
    FROM platform.links l
    CROSS JOIN LATERAL (
        SELECT p.double_value FROM platform.metadata_properties p
        WHERE p.kind = 1 AND p.node = l.artifact AND p.custom AND p.made AND p.name = %(sort_by)s AND p.double_value <> 'NaN'
        OFFSET 0
    ) AS p
    WHERE l.run = r.id AND l.direction = 2
    OFFSET 0
) AS l
WHERE EXISTS (SELECT FROM platform.tasks t WHERE t.run = l.run AND t.id = l.task AND t.kind = 1 OFFSET 0)
GROUP BY l.run
ORDER BY max(l.double_value * %(sign)s::float8) DESC, l.run DESC LIMIT %(most)s;

-- name: compared_best
-- The best figures of a name, of some pipelines or (`all`) of whatever put it out: of each run that put them out the best, of each
-- artifact in the newest runs; NULL: no run that is asked for did. With each the last of the figures, and how many they are (sign 1:
-- the largest are the best). OFFSET 0 has the planner read links in their order.
WITH figures (value, artifact) AS MATERIALIZED (
    (
        SELECT f.value, f.artifact
        FROM unnest(%(pipelines)s::bigint[]) AS s (pipeline)
        CROSS JOIN LATERAL (
            SELECT f.value, f.artifact FROM platform.pipeline_figures f
            WHERE f.pipeline = s.pipeline AND f.name = %(sort_by)s
            ORDER BY f.value /*direction*/ DESC, f.artifact DESC LIMIT %(limit)s
        ) AS f
        ORDER BY f.value /*direction*/ DESC, f.artifact DESC LIMIT %(limit)s
    ) UNION ALL (
        SELECT p.double_value, p.node FROM platform.metadata_properties p
        WHERE %(all)s AND p.kind = 1 AND p.custom AND p.made AND p.name = %(sort_by)s
            AND p.double_value IS NOT NULL AND p.double_value <> 'NaN'
        ORDER BY p.double_value /*direction*/ DESC, p.node DESC LIMIT %(limit)s
    )
)
SELECT w.run, max(f.value * %(sign)s::float8), (SELECT min(value * %(sign)s::float8) FROM figures), (SELECT count(*) FROM figures)
FROM figures f
LEFT JOIN LATERAL (
    SELECT l.run FROM platform.links l
    CROSS JOIN LATERAL (
        SELECT FROM platform.tasks t JOIN platform.runs r ON r.id = t.run AND NOT r.delete_pending
        WHERE t.run = l.run AND t.id = l.task AND t.kind = 1
            AND (%(namespace)s::text = '' OR r.namespace = %(namespace)s::text)
            AND (%(pipeline_name)s::text = '' OR r.pipeline_name = %(pipeline_name)s::text)
            AND (%(experiment_id)s::text = '' OR r.experiment_id = %(experiment_id)s::text)
        OFFSET 0
    ) AS t
    WHERE l.artifact = f.artifact AND l.direction = 2
    ORDER BY l.task DESC LIMIT %(most)s
) AS w ON true
GROUP BY w.run;

-- name: compared_runs
-- What is shown of runs.
SELECT r.id, r.run_id, r.display_name, r.pipeline_name, r.shown_state, r.created_at_us, r.parameters_json
FROM platform.runs r WHERE r.id = ANY(%(runs)s::bigint[]);

-- name: run_figures
-- What the runs' tasks wrote into the metadata of what they put out: numbers, and texts where figures are named.
SELECT l.run, t.path, l.name, p.name, coalesce(p.double_value, p.int_value), p.string_value, l.artifact
FROM platform.links l
JOIN platform.tasks t ON t.run = l.run AND t.id = l.task AND t.kind = 1
JOIN platform.metadata_properties p ON p.kind = 1 AND p.node = l.artifact AND p.made
WHERE l.run = ANY(%(runs)s::bigint[]) AND l.direction = 2
    AND CASE WHEN cardinality(%(names)s::text[]) = 0 THEN p.string_value IS NULL AND p.bool_value IS NULL
        ELSE p.name = ANY(%(names)s::text[]) END
ORDER BY l.run, t.path, l.name, p.name LIMIT %(limit)s;

-- name: archived_experiment
-- Whether an experiment is archived; held until the commit, so that it is not archived meanwhile.
SELECT 1 FROM platform.experiments WHERE experiment_id = %(experiment_id)s AND storage_state = 2 FOR SHARE;

-- name: measure_runs
-- Runs that have not ended by state, with the numbers of their tasks that have not: pending, ready, running.
SELECT state, count(*), sum(task_counts[1]), sum(task_counts[2]), sum(task_counts[3])
FROM platform.runs WHERE finished_at_us = 0 GROUP BY state;

-- name: measure_inbox
-- What waits for the scheduler, and for how long the oldest has.
SELECT count(*), coalesce(platform.now_us() - min(delivered_at_us), 0) FROM platform.inbox WHERE consumed_at_us = 0;

-- name: measure_accelerators
-- The accounts of accelerator time over all days.
SELECT namespace, accelerator, sum(asked_us), sum(used_us) FROM platform.accelerator_use GROUP BY namespace, accelerator;

-- When tasks were last changed by their runs, of those that have ended: the order of ML Metadata's LAST_UPDATE_TIME. Beside the tasks,
-- whose own indexes hold nothing that their updates change; those that have not ended are found by the runs that have not.
CREATE TABLE platform.task_ends (
    ended_ms bigint NOT NULL,
    task bigint NOT NULL
);
INSERT INTO platform.task_ends (ended_ms, task)
SELECT greatest(t.created_at_us, t.started_at_us, t.finished_at_us) / 1000, t.id FROM platform.tasks t WHERE t.finished_at_us <> 0;
ALTER TABLE platform.task_ends ADD PRIMARY KEY (ended_ms, task);

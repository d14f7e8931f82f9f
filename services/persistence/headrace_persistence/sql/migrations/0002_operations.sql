-- Terminate with exit tasks, retry as it is asked for, and resume.
ALTER TABLE platform.runs
    ADD COLUMN retried_at_us bigint NOT NULL DEFAULT 0,
    ADD COLUMN run_exit_tasks boolean NOT NULL DEFAULT false,
    ADD COLUMN resetting boolean NOT NULL DEFAULT false,
    ADD COLUMN resume bytea NOT NULL DEFAULT '',
    ADD COLUMN retry_pending boolean NOT NULL DEFAULT false;
-- Postgres before 17 cannot change what a generated column is made of.
ALTER TABLE platform.runs DROP COLUMN shown_state;
ALTER TABLE platform.runs ADD COLUMN shown_state smallint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN terminate_pending AND (state IN (1, 2) OR retry_pending AND state IN (5, 6)) THEN 3
        WHEN retry_pending AND state IN (5, 6) THEN 2 ELSE state END
) STORED;
ALTER TABLE platform.tasks ADD COLUMN linked_from text NOT NULL DEFAULT '';

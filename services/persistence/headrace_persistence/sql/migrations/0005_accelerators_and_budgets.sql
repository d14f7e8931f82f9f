-- Where attempts run, what each budget has paid, and what accelerators were asked for and used.
ALTER TABLE platform.tasks
    ADD COLUMN node text NOT NULL DEFAULT '',
    ADD COLUMN preemptions integer NOT NULL DEFAULT 0;
ALTER TABLE platform.attempts
    ADD COLUMN accelerators integer NOT NULL DEFAULT 0,
    ADD COLUMN accelerator text NOT NULL DEFAULT '',
    ADD COLUMN running_at_us bigint NOT NULL DEFAULT 0,
    ADD COLUMN asked_us bigint NOT NULL DEFAULT 0,
    ADD COLUMN used_us bigint NOT NULL DEFAULT 0;
CREATE TABLE platform.accelerator_use (
    namespace text COLLATE "C" NOT NULL,
    day date NOT NULL,
    accelerator text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    asked_us bigint NOT NULL,
    used_us bigint NOT NULL,
    PRIMARY KEY (namespace, day, accelerator)
);

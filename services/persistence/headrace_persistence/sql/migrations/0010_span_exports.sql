-- How far the spans of each run have gone out, beside the run's row: exporting waits for no append, and no append for it.
CREATE TABLE platform.span_exports (
    run bigint PRIMARY KEY,
    seq bigint NOT NULL,
    holder text COLLATE "C" NOT NULL,
    held_until_us bigint NOT NULL
);
INSERT INTO platform.span_exports (run, seq, holder, held_until_us) SELECT id, exported, '', 0 FROM platform.runs WHERE exported > 0;
ALTER TABLE platform.runs DROP COLUMN exported;

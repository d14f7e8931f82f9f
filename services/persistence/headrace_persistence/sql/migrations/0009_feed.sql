-- The order in which readers of many runs see their events: one row for each run's part of an append, told by a trigger, so that no
-- writer can leave it out, also not one of the release before. Positions are given when the run's row changes, which is the last
-- thing an append does; they may become visible out of order, and one that is rolled back never does: stores/feed.py.
CREATE TABLE platform.feed (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,   -- at most 2,047 events a row: a sequence number is position × 2,048 + the event's place in it
    CONSTRAINT feed_events CHECK (last_seq - first_seq BETWEEN 0 AND 2046)
);
CREATE INDEX feed_run ON platform.feed (run);
INSERT INTO platform.feed (run, first_seq, last_seq)
    SELECT r.id, s, least(s + 2046, r.revision) FROM platform.runs r CROSS JOIN generate_series(1, r.revision, 2047) AS s
    ORDER BY r.id, s;

CREATE FUNCTION platform.tell_feed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE told bigint := CASE WHEN TG_OP = 'INSERT' THEN 0 ELSE OLD.revision END;
BEGIN
    WHILE told < NEW.revision LOOP
        INSERT INTO platform.feed (run, first_seq, last_seq) VALUES (NEW.id, told + 1, least(told + 2047, NEW.revision));
        told := told + 2047;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_created_feed AFTER INSERT ON platform.runs FOR EACH ROW EXECUTE FUNCTION platform.tell_feed();
CREATE TRIGGER runs_changed_feed AFTER UPDATE OF revision ON platform.runs FOR EACH ROW
    WHEN (NEW.revision > OLD.revision) EXECUTE FUNCTION platform.tell_feed();

-- Of the partitions before a day one that has become empty goes; false: there is none, or appends are at it just now. Retention takes
-- events, and a partition for each day that there ever was makes reading slower. What is appended later for such a day (a retry) goes
-- to the default partition.
CREATE FUNCTION platform.drop_empty_partition(before date) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '200ms' AS $$
DECLARE name text; used boolean;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'platform.events'::regclass AND c.relname ~ '^events_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM platform.%I)', name) INTO used;
        CONTINUE WHEN used;
        LOCK TABLE ONLY platform.events IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('SELECT EXISTS (SELECT FROM platform.%I)', name) INTO used;
        CONTINUE WHEN used;
        EXECUTE format('DROP TABLE platform.%I', name);
        RETURN true;
    END LOOP;
    RETURN false;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;

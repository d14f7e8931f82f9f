-- Where companions reach the replica that drives their run; a replica of an older release has none.
ALTER TABLE platform.sessions ADD COLUMN address text NOT NULL DEFAULT '';

-- What a run wants of the cache: tasks that run whatever it has, and how old its entries may be.
ALTER TABLE platform.runs ADD COLUMN caching bytea NOT NULL DEFAULT '';

-- What was not found and why, so that people can ask; and where entries' artifacts lie, so that a deletion finds them.
CREATE TABLE cache.misses (
    run_id text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    key text NOT NULL,          -- '' = its ingredients make none
    why text NOT NULL,          -- '' = there was no entry of its key
    ingredients bytea NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, path)
);
CREATE INDEX misses_asked ON cache.misses (asked_at);

CREATE TABLE cache.entry_uris (
    uri text COLLATE "C" NOT NULL,  -- its first 1,000 characters: an index holds no longer ones; entries.uris has them whole
    key text NOT NULL REFERENCES cache.entries ON DELETE CASCADE,
    PRIMARY KEY (uri, key)
);
CREATE INDEX entry_uris_key ON cache.entry_uris (key);
INSERT INTO cache.entry_uris (uri, key) SELECT DISTINCT left(uri, 1000), key FROM cache.entries, unnest(uris) AS uri;

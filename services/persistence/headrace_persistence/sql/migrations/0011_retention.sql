-- Retention: who uses what, policies, and what is on its way out of the stores.
ALTER TABLE platform.runs ADD COLUMN pinned boolean NOT NULL DEFAULT false;              -- no policy takes it
ALTER TABLE platform.runs ADD COLUMN cache_stays boolean NOT NULL DEFAULT false;         -- of one that is deleted: by a policy
ALTER TABLE platform.runs ADD COLUMN logs_deleted_at_us bigint NOT NULL DEFAULT 0;
ALTER TABLE platform.runs ADD COLUMN events_deleted_at_us bigint NOT NULL DEFAULT 0;

-- Places outside its own folder (<root>/<pipeline>/<run id>/) that a run uses: results from the cache or a resumed run, imports,
-- values by reference. Whoever writes here holds the lock of retention shared; whoever dooms a place has it alone.
CREATE TABLE platform.uses (
    run bigint NOT NULL,
    digest bytea NOT NULL,      -- of the URI, which may be longer than an index holds
    uri text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, digest)
);
CREATE INDEX uses_uri ON platform.uses (left(uri, 500));
INSERT INTO platform.uses (run, digest, uri)
SELECT DISTINCT l.run, substring(sha256(convert_to(a.uri, 'UTF8')) FOR 16), a.uri
FROM platform.links l
JOIN platform.artifacts a ON a.id = l.artifact AND a.uri <> ''
JOIN platform.runs r ON r.id = l.run AND position('/' || r.run_id || '/' IN a.uri) = 0;

-- What is said of how long things are kept; the highest version that a policy ever had goes on where it was removed.
CREATE TABLE platform.retention_policies (
    namespace text COLLATE "C" NOT NULL,        -- '' = everywhere
    pipeline_name text COLLATE "C" NOT NULL,    -- '' = all of the namespace
    kind text COLLATE "C" NOT NULL,
    max_age_s double precision,
    max_count bigint,
    removed boolean NOT NULL DEFAULT false,
    version bigint NOT NULL,
    changed_at_us bigint NOT NULL,
    PRIMARY KEY (namespace, pipeline_name, kind)
);

-- What deleted runs left in the stores, and what else is to be deleted there: each row goes when it is done, so that whoever
-- is killed is followed by another who goes on.
CREATE TABLE platform.remains (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 7),
    -- 1 a run's folder, 2 an artifact, 3 a run's logs, 4 its events, 5 an object, 6 a cached result (its key), 7 copies of what was fetched
    uri text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    pipeline_name text COLLATE "C" NOT NULL,
    created_at_us bigint NOT NULL,
    size bigint NOT NULL DEFAULT 0,
    drop_cache boolean NOT NULL DEFAULT false,      -- results that the run put into the cache go first
    doomed_at_us bigint NOT NULL DEFAULT 0,         -- decided: no run may begin to use it any more
    spared text[] NOT NULL DEFAULT '{}',            -- of a folder: places in it that somebody used when it was last doomed
    swept boolean NOT NULL DEFAULT false,           -- a folder: all but what is spared is gone
    upto bigint NOT NULL DEFAULT 0,                 -- of events: the last one
    erasure bigint NOT NULL DEFAULT 0               -- the one that it is part of
);
CREATE UNIQUE INDEX remains_key ON platform.remains (kind, run_id, md5(uri), erasure);
CREATE INDEX remains_pipeline ON platform.remains (namespace, pipeline_name, created_at_us) WHERE kind = 2;
CREATE INDEX remains_doomed ON platform.remains (doomed_at_us) WHERE doomed_at_us <> 0;
CREATE INDEX remains_folders ON platform.remains (id) WHERE kind = 1;
CREATE INDEX remains_uri ON platform.remains USING hash (uri);
CREATE INDEX remains_run ON platform.remains (run_id);
CREATE INDEX remains_erasure ON platform.remains (erasure) WHERE erasure <> 0;

-- One agent at a time.
CREATE TABLE platform.leases (
    name text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Who erased what: the record stays, without what was erased.
CREATE TABLE platform.erasures (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    artifact_id text COLLATE "C" NOT NULL,
    derived boolean NOT NULL,
    asked_by text NOT NULL,
    reason text NOT NULL,
    asked_at_us bigint NOT NULL,
    finished_at_us bigint NOT NULL DEFAULT 0,
    told bytea NOT NULL         -- an Erasure: artifacts without URIs, runs, what could not be erased, counts
);

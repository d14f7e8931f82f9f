-- The schema `platform`, whole, as it is after the newest migration (a test compares). Rules that hold everywhere:
--   * times are microseconds since the epoch, 0 = never; messages are serialised headrace.v1 protobufs in bytea, '' = absent,
--     so that no text of a user's ever meets a text column's limits (NUL, lone surrogates);
--   * states are the numbers of v1/events.proto; which change is allowed is headrace_protos/lifecycle.py, and every update
--     carries the allowed ones ("moves", see stores/appending.py);
--   * rows below a run change only in a transaction that holds the run's row FOR UPDATE, which is why the hot tables have no
--     foreign keys: nothing can vanish under that lock, and stores/appending.py deletes them together.
CREATE SEQUENCE platform.ids AS bigint;  -- one for runs, tasks (executions) and artifacts: ML Metadata needs them distinct

CREATE FUNCTION platform.now_us() RETURNS bigint LANGUAGE sql VOLATILE
    AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

CREATE TABLE platform.experiments (
    experiment_id text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    storage_state smallint NOT NULL DEFAULT 1 CHECK (storage_state IN (1, 2)),
    created_at_us bigint NOT NULL,
    CONSTRAINT experiments_name UNIQUE (namespace, display_name)
);

CREATE TABLE platform.pipelines (
    pipeline_id text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    tags bytea NOT NULL,  -- a Pipeline with its tags alone
    created_at_us bigint NOT NULL,
    CONSTRAINT pipelines_name UNIQUE (namespace, name)
);

CREATE TABLE platform.pipeline_versions (
    pipeline_version_id text COLLATE "C" PRIMARY KEY,
    pipeline_id text COLLATE "C" NOT NULL REFERENCES platform.pipelines ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    tags bytea NOT NULL,  -- a PipelineVersion with its tags alone
    code_source_url text NOT NULL,
    package_url text NOT NULL,
    created_at_us bigint NOT NULL,
    spec_json text NOT NULL,
    plan bytea NOT NULL,
    CONSTRAINT pipeline_versions_name UNIQUE (pipeline_id, name)
);
CREATE INDEX pipeline_versions_newest ON platform.pipeline_versions (pipeline_id, created_at_us, pipeline_version_id);

CREATE TABLE platform.sessions (
    session_id text COLLATE "C" PRIMARY KEY,
    epoch bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    holder text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    address text NOT NULL DEFAULT ''
);

CREATE TABLE platform.shards (
    shard smallint PRIMARY KEY,
    session_id text COLLATE "C" REFERENCES platform.sessions ON DELETE SET NULL
);
CREATE INDEX shards_session ON platform.shards (session_id);
INSERT INTO platform.shards (shard) SELECT generate_series(0, 255);

CREATE TABLE platform.runs (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    run_id text COLLATE "C" NOT NULL UNIQUE,
    namespace text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    day date NOT NULL,  -- UTC day of creation: the partition of all its events
    experiment_id text COLLATE "C" NOT NULL,
    display_name text COLLATE "C" NOT NULL,
    description text NOT NULL,
    pipeline_id text COLLATE "C" NOT NULL,
    pipeline_version_id text COLLATE "C" NOT NULL,
    pipeline_name text COLLATE "C" NOT NULL,
    pipeline_root text NOT NULL,
    service_account text NOT NULL,
    source text NOT NULL,
    recurring_run_id text COLLATE "C" NOT NULL,
    enable_cache boolean,
    parameters_json text NOT NULL,
    storage_state smallint NOT NULL DEFAULT 1 CHECK (storage_state IN (1, 2)),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 6),
    terminate_pending boolean NOT NULL DEFAULT false,  -- delivered, not yet applied
    delete_pending boolean NOT NULL DEFAULT false,     -- no reader sees the run any more
    revision bigint NOT NULL,   -- seq of the last event
    exported bigint NOT NULL DEFAULT 0,  -- seq up to which its spans went out
    task_counts integer[] NOT NULL DEFAULT '{0,0,0,0,0,0,0}',  -- by TaskState
    inputs bytea NOT NULL,
    outputs bytea NOT NULL DEFAULT '',
    error bytea NOT NULL DEFAULT '',
    history bytea NOT NULL,     -- a Run with its history alone; what is appended merges
    created_at_us bigint NOT NULL,
    scheduled_at_us bigint NOT NULL,
    started_at_us bigint NOT NULL DEFAULT 0,
    finished_at_us bigint NOT NULL DEFAULT 0,
    retried_at_us bigint NOT NULL DEFAULT 0,
    run_exit_tasks boolean NOT NULL DEFAULT false,     -- of a run that is being terminated
    resetting boolean NOT NULL DEFAULT false,          -- a retry of which not all resets are here
    resume bytea NOT NULL DEFAULT '',                  -- a Resume: the run that this one goes on from
    retry_pending boolean NOT NULL DEFAULT false,      -- delivered, not yet applied
    shown_state smallint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN terminate_pending AND (state IN (1, 2) OR retry_pending AND state IN (5, 6)) THEN 3
            WHEN retry_pending AND state IN (5, 6) THEN 2 ELSE state END
    ) STORED,
    CONSTRAINT runs_finished CHECK ((state >= 4) = (finished_at_us <> 0))
) WITH (fillfactor = 60);
CREATE INDEX runs_created ON platform.runs (created_at_us, run_id);
CREATE INDEX runs_of_experiment ON platform.runs (experiment_id, created_at_us, run_id);
CREATE INDEX runs_active ON platform.runs (shard) WHERE finished_at_us = 0;

-- What lists never load.
CREATE TABLE platform.run_specs (
    run bigint PRIMARY KEY REFERENCES platform.runs ON DELETE CASCADE,
    spec_json text NOT NULL,
    plan bytea NOT NULL
);

CREATE TABLE platform.inbox (
    inbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text COLLATE "C" NOT NULL CONSTRAINT inbox_key UNIQUE,
    run bigint NOT NULL REFERENCES platform.runs ON DELETE CASCADE,
    shard smallint NOT NULL,
    kind smallint NOT NULL,     -- field number of DeliverRequest.item
    delivered_at_us bigint NOT NULL,
    request bytea NOT NULL,     -- '' once consumed: the key stays for a day
    consumed_at_us bigint NOT NULL DEFAULT 0
);
CREATE INDEX inbox_waiting ON platform.inbox (shard, inbox_id) WHERE consumed_at_us = 0;
CREATE INDEX inbox_run ON platform.inbox (run);
CREATE INDEX inbox_consumed ON platform.inbox (consumed_at_us) WHERE consumed_at_us <> 0;

CREATE TABLE platform.events (
    day date NOT NULL,
    run bigint NOT NULL,
    seq bigint NOT NULL,
    time_us bigint NOT NULL,
    kind smallint NOT NULL,     -- field number of Event.kind
    attempt integer NOT NULL,
    path text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,     -- a serialised Event, whole
    PRIMARY KEY (run, seq, day)
) PARTITION BY RANGE (day);
CREATE TABLE platform.events_default PARTITION OF platform.events DEFAULT;

-- The partition of one day; housekeeping makes them ahead. A day whose events already lie in the default one keeps them there.
CREATE FUNCTION platform.make_events_partition(wanted date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE name text := 'events_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass('platform.' || name) IS NOT NULL
        OR EXISTS (SELECT FROM platform.events_default WHERE day = wanted) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE platform.%I PARTITION OF platform.events FOR VALUES FROM (%L) TO (%L)', name, wanted, wanted + 1);
    RETURN true;
END $$;

CREATE TABLE platform.tasks (
    run bigint NOT NULL,
    path text COLLATE "C" NOT NULL,
    id bigint NOT NULL DEFAULT nextval('platform.ids'),
    parent text COLLATE "C" NOT NULL,
    kind smallint NOT NULL,
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 7),
    definition bytea NOT NULL,  -- the TaskCreated event
    inputs bytea NOT NULL DEFAULT '',
    outputs bytea NOT NULL DEFAULT '',
    error bytea NOT NULL DEFAULT '',
    waiting_on bytea NOT NULL DEFAULT '',
    iteration_count integer NOT NULL DEFAULT 0,
    cached_from text NOT NULL DEFAULT '',
    skip_reason text NOT NULL DEFAULT '',
    cache_key text NOT NULL DEFAULT '',
    cache_token text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    user_failures integer NOT NULL DEFAULT 0,
    infrastructure_failures integer NOT NULL DEFAULT 0,
    attempt_state smallint NOT NULL DEFAULT 0,
    handle text NOT NULL DEFAULT '',
    retry_at_us bigint NOT NULL DEFAULT 0,
    created_at_us bigint NOT NULL,
    started_at_us bigint NOT NULL DEFAULT 0,
    finished_at_us bigint NOT NULL DEFAULT 0,
    attempt_started_at_us bigint NOT NULL DEFAULT 0,
    linked_from text NOT NULL DEFAULT '',  -- "run_id/path" of the run whose results these are
    node text NOT NULL DEFAULT '',         -- where the last attempt runs; '' = it does not yet
    preemptions integer NOT NULL DEFAULT 0,
    PRIMARY KEY (run, path),
    UNIQUE (run, id),
    CONSTRAINT tasks_finished CHECK ((state >= 4) = (finished_at_us <> 0))
) WITH (fillfactor = 60);

CREATE TABLE platform.attempts (
    run bigint NOT NULL,
    path text COLLATE "C" NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    state smallint NOT NULL CHECK (state BETWEEN 1 AND 6),
    started bytea NOT NULL,     -- the AttemptStarted event
    launched bytea NOT NULL DEFAULT '',
    finished bytea NOT NULL DEFAULT '',
    created_at_us bigint NOT NULL,
    finished_at_us bigint NOT NULL DEFAULT 0,
    accelerators integer NOT NULL DEFAULT 0,       -- how many it holds
    accelerator text NOT NULL DEFAULT '',          -- what it got, as far as that is known, else what it asked for
    running_at_us bigint NOT NULL DEFAULT 0,       -- since when user code runs on a node
    asked_us bigint NOT NULL DEFAULT 0,            -- accelerators × time, of one that has ended
    used_us bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run, path, number),
    CONSTRAINT attempts_finished CHECK ((state >= 3) = (finished_at_us <> 0))
) WITH (fillfactor = 60);

-- The accounts of namespaces: accelerators × time of attempts that ended on a day (UTC). They stay when runs are deleted.
CREATE TABLE platform.accelerator_use (
    namespace text COLLATE "C" NOT NULL,
    day date NOT NULL,
    accelerator text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    asked_us bigint NOT NULL,
    used_us bigint NOT NULL,
    PRIMARY KEY (namespace, day, accelerator)
);

CREATE TABLE platform.artifacts (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    artifact_id text COLLATE "C" NOT NULL UNIQUE,
    created_at_us bigint NOT NULL,
    payload bytea NOT NULL,     -- a serialised Artifact, without its id
    place bytea NOT NULL DEFAULT ''     -- a digest of type and URI, by which importers find it again
);
CREATE INDEX artifacts_place ON platform.artifacts (place, id);

-- Lineage: which task read (1) or wrote (2) which artifact, under which name. An artifact lives while a link does.
CREATE TABLE platform.links (
    run bigint NOT NULL,
    task bigint NOT NULL,
    direction smallint NOT NULL CHECK (direction IN (1, 2)),
    name text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    artifact bigint NOT NULL,
    attempt integer NOT NULL,
    PRIMARY KEY (run, task, direction, name, position)
);
CREATE INDEX links_artifact ON platform.links (artifact);

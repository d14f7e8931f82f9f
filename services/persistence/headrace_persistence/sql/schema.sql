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
    caching bytea NOT NULL DEFAULT '',                 -- a Caching: what the run wants of the cache
    pinned boolean NOT NULL DEFAULT false,             -- no policy takes it
    cache_stays boolean NOT NULL DEFAULT false,        -- of one that is deleted: by a policy
    logs_deleted_at_us bigint NOT NULL DEFAULT 0,
    events_deleted_at_us bigint NOT NULL DEFAULT 0,
    shown_state smallint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN terminate_pending AND (state IN (1, 2) OR retry_pending AND state IN (5, 6)) THEN 3
            WHEN retry_pending AND state IN (5, 6) THEN 2 ELSE state END
    ) STORED,
    CONSTRAINT runs_finished CHECK ((state >= 4) = (finished_at_us <> 0))
) WITH (fillfactor = 60);
CREATE INDEX runs_created ON platform.runs (created_at_us, run_id);
CREATE INDEX runs_of_experiment ON platform.runs (experiment_id, created_at_us, run_id) WHERE NOT delete_pending;
CREATE INDEX runs_of_pipeline_name ON platform.runs (left(pipeline_name, 200), id);
CREATE INDEX runs_created_ms ON platform.runs ((created_at_us / 1000), id);
CREATE INDEX runs_of_namespace ON platform.runs (namespace, created_at_us, run_id) WHERE NOT delete_pending;
CREATE INDEX runs_of_pipeline ON platform.runs (left(pipeline_name, 200), created_at_us, run_id);
CREATE INDEX runs_by_pipeline ON platform.runs (pipeline_name, created_at_us, run_id) INCLUDE (namespace)
    WHERE NOT delete_pending AND length(pipeline_name) < 200;
CREATE STATISTICS platform.runs_short_names ON (length(pipeline_name)) FROM platform.runs;
CREATE INDEX runs_named ON platform.runs (left(display_name, 200), run_id);
CREATE INDEX runs_scheduled ON platform.runs (scheduled_at_us, run_id);
CREATE INDEX runs_finished ON platform.runs (finished_at_us, run_id);
CREATE INDEX runs_in_state ON platform.runs
    (((ARRAY['PENDING','RUNNING','CANCELING','SUCCEEDED','FAILED','CANCELED'])[shown_state]), created_at_us, run_id)
    INCLUDE (shown_state) WHERE NOT delete_pending;
CREATE INDEX runs_by_state ON platform.runs
    (((ARRAY['PENDING','RUNNING','CANCELING','SUCCEEDED','FAILED','CANCELED'])[shown_state]), run_id);
CREATE INDEX runs_stored ON platform.runs (((ARRAY['AVAILABLE','ARCHIVED'])[storage_state]), created_at_us, run_id)
    INCLUDE (storage_state) WHERE NOT delete_pending;
CREATE INDEX runs_updated_ms ON platform.runs ((greatest(created_at_us, started_at_us, finished_at_us) / 1000), id) WHERE NOT delete_pending;
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
CREATE UNIQUE INDEX tasks_id ON platform.tasks (id);
CREATE INDEX tasks_created_ms ON platform.tasks ((created_at_us / 1000), id);

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

-- How far the spans of each run have gone out, beside the run's row: exporting waits for no append, and no append for it.
CREATE TABLE platform.span_exports (
    run bigint PRIMARY KEY,
    seq bigint NOT NULL,        -- of the last event whose spans are received
    holder text COLLATE "C" NOT NULL,   -- the exporter that sends them
    held_until_us bigint NOT NULL
);

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
    place bytea NOT NULL DEFAULT '',    -- a digest of type and URI, by which importers find it again
    type_name text COLLATE "C" NOT NULL DEFAULT 'system.Artifact',  -- as ML Metadata has it
    uri text COLLATE "C" NOT NULL DEFAULT '',
    name text COLLATE "C" NOT NULL DEFAULT '',  -- its display name
    digest text COLLATE "C" NOT NULL DEFAULT ''     -- of the content, '' = not known
);
CREATE INDEX artifacts_digest ON platform.artifacts (digest, id) WHERE digest <> '';
CREATE INDEX artifacts_place ON platform.artifacts (place, id);
CREATE INDEX artifacts_uri ON platform.artifacts USING hash (uri);
CREATE INDEX artifacts_type ON platform.artifacts (type_name, id);
CREATE INDEX artifacts_created_ms ON platform.artifacts ((created_at_us / 1000), id);

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
CREATE INDEX links_of_artifact ON platform.links (artifact, direction, task);
-- What ANALYZE estimates of these from a sample is wrong by orders of magnitude, and with it plans.
ALTER TABLE platform.links ALTER run SET (n_distinct = -0.05), ALTER task SET (n_distinct = -0.25), ALTER artifact SET (n_distinct = -0.5);
ALTER TABLE platform.tasks ALTER run SET (n_distinct = -0.1);

-- ── Retention: who uses what, policies, and what is on its way out of the stores ──

-- Places outside its own folder (<root>/<pipeline>/<run id>/) that a run uses: results from the cache or a resumed run, imports,
-- values by reference. Whoever writes here holds the lock of retention shared; whoever dooms a place has it alone.
CREATE TABLE platform.uses (
    run bigint NOT NULL,
    digest bytea NOT NULL,      -- of the URI, which may be longer than an index holds
    uri text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, digest)
);
CREATE INDEX uses_uri ON platform.uses (left(uri, 500));

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

-- ── ML Metadata: what people put by its API lies in metadata_*; the views seen_* show it together with what runs made ──
-- Kinds are ML Metadata's: 0 execution, 1 artifact, 2 context. Times in milliseconds, as its API has them.

CREATE TABLE platform.metadata_types (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    kind smallint NOT NULL CHECK (kind IN (0, 1, 2)),
    name text COLLATE "C" NOT NULL CHECK (name <> ''),
    version text COLLATE "C" NOT NULL,  -- '' = none
    external_id text COLLATE "C",
    base bigint REFERENCES platform.metadata_types,  -- the simple type that it inherits from
    definition bytea NOT NULL,  -- a serialised ArtifactType, ExecutionType or ContextType with what is not in columns
    CONSTRAINT metadata_types_name UNIQUE (kind, name, version),
    CONSTRAINT metadata_types_external_id UNIQUE (kind, external_id)
);

-- What people put.
CREATE TABLE platform.metadata_nodes (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    kind smallint NOT NULL,
    type bigint NOT NULL REFERENCES platform.metadata_types,
    name text COLLATE "C",
    uri text COLLATE "C",
    state smallint,
    external_id text COLLATE "C",
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    CONSTRAINT metadata_nodes_name UNIQUE (type, name),
    CONSTRAINT metadata_nodes_external_id UNIQUE (kind, external_id)
);
CREATE INDEX metadata_nodes_list ON platform.metadata_nodes (kind, id);
CREATE INDEX metadata_nodes_created ON platform.metadata_nodes (kind, created_ms, id);
CREATE INDEX metadata_nodes_updated ON platform.metadata_nodes (kind, updated_ms, id);
CREATE INDEX metadata_nodes_uri ON platform.metadata_nodes USING hash (uri);

-- Properties: all of those of people's nodes; of nodes that runs made what people added to them, and the metadata of their artifacts
-- (`made`), which is here to be found by.
CREATE TABLE platform.metadata_properties (
    kind smallint NOT NULL,
    node bigint NOT NULL,
    custom boolean NOT NULL,
    name text COLLATE "C" NOT NULL,
    made boolean NOT NULL DEFAULT false,
    int_value bigint,
    double_value double precision,
    string_value text COLLATE "C",
    bool_value boolean,
    other bytea,  -- a serialised Value that holds a struct or a message
    PRIMARY KEY (kind, node, custom, name)
);
CREATE INDEX metadata_properties_named ON platform.metadata_properties (kind, name, node);
CREATE INDEX metadata_properties_int ON platform.metadata_properties (kind, name, int_value) INCLUDE (custom, node)
    WHERE int_value IS NOT NULL;
CREATE INDEX metadata_properties_string ON platform.metadata_properties (kind, name, left(string_value, 64)) WHERE string_value IS NOT NULL;
CREATE INDEX metadata_properties_double ON platform.metadata_properties (kind, name, double_value) INCLUDE (custom, node)
    WHERE double_value IS NOT NULL;
CREATE INDEX metadata_properties_text ON platform.metadata_properties (name, left(string_value, 500))
    WHERE made AND kind = 1 AND string_value IS NOT NULL AND length(name) <= 200;

ALTER TABLE platform.metadata_properties ALTER node SET (n_distinct = -0.4);

-- When people last changed a node that a run made.
CREATE TABLE platform.metadata_changes (
    kind smallint NOT NULL,
    node bigint NOT NULL,
    updated_ms bigint NOT NULL,
    PRIMARY KEY (kind, node)
);
CREATE INDEX metadata_changes_updated ON platform.metadata_changes (kind, updated_ms, node);

CREATE TABLE platform.metadata_events (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    artifact bigint NOT NULL,
    execution bigint NOT NULL,
    type smallint NOT NULL,
    time_ms bigint NOT NULL,
    path bytea NOT NULL,  -- a serialised Event.Path
    CONSTRAINT metadata_events_key UNIQUE (artifact, execution, type)
);
CREATE INDEX metadata_events_execution ON platform.metadata_events (execution);

CREATE TABLE platform.metadata_attributions (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    context bigint NOT NULL,
    artifact bigint NOT NULL,
    CONSTRAINT metadata_attributions_key UNIQUE (context, artifact)
);
CREATE INDEX metadata_attributions_artifact ON platform.metadata_attributions (artifact);

CREATE TABLE platform.metadata_associations (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    context bigint NOT NULL,
    execution bigint NOT NULL,
    CONSTRAINT metadata_associations_key UNIQUE (context, execution)
);
CREATE INDEX metadata_associations_execution ON platform.metadata_associations (execution);

CREATE TABLE platform.metadata_parents (
    parent bigint NOT NULL,
    child bigint NOT NULL,
    CONSTRAINT metadata_parents_key PRIMARY KEY (parent, child)
);
CREATE INDEX metadata_parents_child ON platform.metadata_parents (child);

-- The contexts system.Pipeline: one for each name that a run's pipeline had (its first 200 characters: an index holds no more).
CREATE TABLE platform.pipeline_contexts (
    id bigint PRIMARY KEY DEFAULT nextval('platform.ids'),
    name text COLLATE "C" NOT NULL CONSTRAINT pipeline_contexts_name UNIQUE,
    created_at_us bigint NOT NULL
);

-- The pipelines whose runs read or wrote an artifact, to list artifacts by; and the namespaces and experiments that a pipeline ran in.
CREATE TABLE platform.artifact_uses (
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    artifact bigint NOT NULL,
    PRIMARY KEY (artifact, pipeline)
);
CREATE UNIQUE INDEX artifact_uses_pipeline ON platform.artifact_uses (pipeline, artifact);
CREATE TABLE platform.pipeline_namespaces (
    namespace text COLLATE "C" NOT NULL,
    pipeline bigint NOT NULL,
    PRIMARY KEY (namespace, pipeline)
);
CREATE TABLE platform.pipeline_experiments (
    experiment_id text COLLATE "C" NOT NULL,
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    PRIMARY KEY (experiment_id, pipeline)
);

-- The executions of a pipeline's context, in the order of their ids, which that of runs is not; those of roots are its runs.
CREATE TABLE platform.pipeline_tasks (
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    task bigint NOT NULL,
    PRIMARY KEY (pipeline, task)
);

-- When tasks were last changed by their runs, of those that have ended: the order of LAST_UPDATE_TIME. Beside the tasks, whose own
-- indexes hold nothing that their updates change; those that have not ended are found by the runs that have not.
CREATE TABLE platform.task_ends (
    ended_ms bigint NOT NULL,
    task bigint NOT NULL,
    PRIMARY KEY (ended_ms, task)
);

-- The figures that runs of a pipeline put out (numbers of artifacts' metadata), to find the best of them; also of artifacts that only
-- other tasks than those of user code put out.
CREATE TABLE platform.pipeline_figures (
    pipeline bigint NOT NULL,  -- of pipeline_contexts
    name text COLLATE "C" NOT NULL,
    value double precision NOT NULL,
    artifact bigint NOT NULL,
    PRIMARY KEY (pipeline, name, value, artifact)
);

INSERT INTO platform.metadata_types (kind, name, version, definition)
SELECT kind, name, '', '' FROM (VALUES
    (1, 'mlmd.Dataset'), (1, 'mlmd.Model'), (1, 'mlmd.Metrics'), (1, 'mlmd.Statistics'),
    (0, 'mlmd.Train'), (0, 'mlmd.Transform'), (0, 'mlmd.Process'), (0, 'mlmd.Evaluate'), (0, 'mlmd.Deploy'),
    (1, 'system.Artifact'), (1, 'system.Dataset'), (1, 'system.Model'), (1, 'system.Metrics'),
    (1, 'system.ClassificationMetrics'), (1, 'system.SlicedClassificationMetrics'), (1, 'system.HTML'), (1, 'system.Markdown'),
    (0, 'system.DAGExecution'), (0, 'system.ContainerExecution'), (0, 'system.ImporterExecution'),
    (2, 'system.Pipeline'), (2, 'system.PipelineRun')
) AS made (kind, name);

-- Every node, a view for each of the tables that they come from. A run is the context system.PipelineRun and, with the same id, the
-- execution of its root DAG.
CREATE VIEW platform.seen_put (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT n.kind, n.id, n.type, t.name AS type_name, n.name, n.uri, n.state, n.external_id, n.created_ms, n.updated_ms,
    false AS made
FROM platform.metadata_nodes n JOIN platform.metadata_types t ON t.id = n.type;

CREATE VIEW platform.seen_artifacts (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 1::smallint, a.id, t.id, t.name, NULL::text, a.uri, 2::smallint, a.artifact_id, a.created_at_us / 1000,
    coalesce(c.updated_ms, a.created_at_us / 1000), true
FROM platform.artifacts a
JOIN platform.metadata_types t ON t.kind = 1 AND t.name = a.type_name AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 1 AND c.node = a.id;

CREATE VIEW platform.seen_tasks (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 0::smallint, k.id, t.id, t.name, NULL::text, NULL::text,
    CASE WHEN k.state = 4 AND k.cached_from <> '' THEN 5 ELSE (ARRAY[1, 1, 2, 3, 6, 4, 6])[k.state] END::smallint,
    NULL::text, k.created_at_us / 1000,
    greatest(k.created_at_us / 1000, k.started_at_us / 1000, k.finished_at_us / 1000, coalesce(c.updated_ms, 0)), true
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
JOIN platform.metadata_types t ON t.kind = 0 AND t.version = ''
    AND t.name = CASE k.kind WHEN 1 THEN 'system.ContainerExecution' WHEN 2 THEN 'system.ImporterExecution' ELSE 'system.DAGExecution' END
LEFT JOIN platform.metadata_changes c ON c.kind = 0 AND c.node = k.id;

CREATE VIEW platform.seen_roots (
    kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made, own_ms
) AS
SELECT 0::smallint, r.id, t.id, t.name, 'run/' || r.run_id, NULL::text, (ARRAY[1, 2, 2, 3, 4, 6])[r.shown_state]::smallint,
    NULL::text, r.created_at_us / 1000,
    greatest(r.created_at_us / 1000, r.started_at_us / 1000, r.finished_at_us / 1000, coalesce(c.updated_ms, 0)), true,
    greatest(r.created_at_us, r.started_at_us, r.finished_at_us) / 1000
FROM platform.runs r
JOIN platform.metadata_types t ON t.kind = 0 AND t.name = 'system.DAGExecution' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 0 AND c.node = r.id
WHERE NOT r.delete_pending;

CREATE VIEW platform.seen_run_contexts (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 2::smallint, r.id, t.id, t.name, r.run_id, NULL::text, NULL::smallint, NULL::text, r.created_at_us / 1000,
    coalesce(c.updated_ms, r.created_at_us / 1000), true
FROM platform.runs r
JOIN platform.metadata_types t ON t.kind = 2 AND t.name = 'system.PipelineRun' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 2 AND c.node = r.id
WHERE NOT r.delete_pending;

CREATE VIEW platform.seen_pipeline_contexts (kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made) AS
SELECT 2::smallint, p.id, t.id, t.name, p.name, NULL::text, NULL::smallint, NULL::text, p.created_at_us / 1000,
    coalesce(c.updated_ms, p.created_at_us / 1000), true
FROM platform.pipeline_contexts p
JOIN platform.metadata_types t ON t.kind = 2 AND t.name = 'system.Pipeline' AND t.version = ''
LEFT JOIN platform.metadata_changes c ON c.kind = 2 AND c.node = p.id;

CREATE VIEW platform.seen_nodes AS
SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_put
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_artifacts
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_tasks
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_roots
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_run_contexts
UNION ALL SELECT kind, id, type, type_name, name, uri, state, external_id, created_ms, updated_ms, made FROM platform.seen_pipeline_contexts;

-- Properties to filter by: those that are stored, and those of runs' executions and contexts that are columns there.
CREATE VIEW platform.seen_properties AS
SELECT p.kind, p.node, p.custom, p.name, p.int_value, p.double_value, p.string_value, p.bool_value
FROM platform.metadata_properties p
UNION ALL
SELECT 0::smallint, k.id, true, 'task_name', NULL, NULL, regexp_replace(k.path, '^.*/|\[\d+\]$', '', 'g'), NULL FROM platform.tasks k
UNION ALL
SELECT 0::smallint, r.id, true, 'task_name', NULL, NULL, '', NULL FROM platform.runs r
UNION ALL
SELECT 1::smallint, a.id, true, 'display_name', NULL, NULL, a.name, NULL FROM platform.artifacts a
UNION ALL
SELECT 0::smallint, k.id, true, 'parent_dag_id', coalesce(d.id, k.run), NULL, NULL, NULL
FROM platform.tasks k LEFT JOIN platform.tasks d ON d.run = k.run AND d.path = k.parent
UNION ALL
SELECT 0::smallint, k.id, true, 'iteration_index', substring(k.path FROM '\[(\d+)\]$')::bigint, NULL, NULL, NULL
FROM platform.tasks k WHERE k.path LIKE '%]'
UNION ALL
SELECT 0::smallint, k.id, true, 'iteration_count', k.iteration_count, NULL, NULL, NULL FROM platform.tasks k WHERE k.kind = 4
UNION ALL
SELECT 0::smallint, k.id, true, 'cache_fingerprint', NULL, NULL, k.cache_key, NULL FROM platform.tasks k WHERE k.cache_key <> ''
UNION ALL
SELECT 0::smallint, k.id, true, 'namespace', NULL, NULL, r.namespace, NULL
FROM platform.tasks k JOIN platform.runs r ON r.id = k.run WHERE k.kind = 1
UNION ALL
SELECT 2::smallint, r.id, true, 'namespace', NULL, NULL, r.namespace, NULL FROM platform.runs r
UNION ALL
SELECT 2::smallint, r.id, true, 'resource_name', NULL, NULL, r.pipeline_name || '-' || r.run_id, NULL FROM platform.runs r;

-- Who read and wrote what. The path of what runs made is one step: `name` is its key; `path` is a serialised Event.Path.
CREATE VIEW platform.seen_events AS
SELECT e.id, e.artifact, e.execution, e.type, e.time_ms, e.path, NULL AS name, 0 AS position, false AS made
FROM platform.metadata_events e
UNION ALL
SELECT 0, l.artifact, k.id, CASE l.direction WHEN 1 THEN 3 ELSE 4 END::smallint,
    (CASE WHEN l.direction = 1 AND k.started_at_us > 0 THEN k.started_at_us
        WHEN k.finished_at_us > 0 THEN k.finished_at_us ELSE k.created_at_us END) / 1000,
    NULL, l.name, l.position, true
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
JOIN platform.links l ON l.run = k.run AND l.task = k.id;

CREATE VIEW platform.seen_attributions AS
SELECT a.context, a.artifact, a.id, false AS made FROM platform.metadata_attributions a
UNION ALL
SELECT DISTINCT l.run, l.artifact, 0::bigint, true
FROM platform.links l JOIN platform.runs r ON r.id = l.run AND NOT r.delete_pending
UNION ALL
SELECT u.pipeline, u.artifact, 0::bigint, true FROM platform.artifact_uses u;

CREATE VIEW platform.seen_associations AS
SELECT a.context, a.execution, a.id, false AS made FROM platform.metadata_associations a
UNION ALL
SELECT k.run, k.id, 0, true FROM platform.tasks k JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
UNION ALL
SELECT r.id, r.id, 0, true FROM platform.runs r WHERE NOT r.delete_pending
UNION ALL
SELECT p.id, k.id, 0, true
FROM platform.tasks k
JOIN platform.runs r ON r.id = k.run AND NOT r.delete_pending
JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
UNION ALL
SELECT p.id, r.id, 0, true
FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
WHERE NOT r.delete_pending;

CREATE VIEW platform.seen_parents AS
SELECT m.parent, m.child, false AS made FROM platform.metadata_parents m
UNION ALL
SELECT p.id, r.id, true
FROM platform.runs r JOIN platform.pipeline_contexts p ON p.name = left(r.pipeline_name, 200)
WHERE NOT r.delete_pending;

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

-- Entries: a fingerprint and the outputs that it gives; one row for each key, the newest wins.
CREATE TABLE cache.entries (
    key text PRIMARY KEY,
    namespace text NOT NULL,
    pipeline_name text NOT NULL,
    component text NOT NULL,
    run_id text NOT NULL,
    origin text NOT NULL,
    outputs bytea NOT NULL,
    ingredients bytea NOT NULL,
    uris text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX entries_by_component ON cache.entries (namespace, pipeline_name, component, created_at DESC);

CREATE INDEX entries_by_run ON cache.entries (run_id);

-- Reservations: who is making the outputs of a key just now; they expire by Postgres's clock.
CREATE TABLE cache.reservations (
    key text PRIMARY KEY,
    token uuid NOT NULL,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
);

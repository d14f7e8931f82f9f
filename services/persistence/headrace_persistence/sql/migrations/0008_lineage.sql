-- Finding artifacts by their content. Those that are here already keep an empty digest.
ALTER TABLE platform.artifacts ADD COLUMN digest text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX artifacts_digest ON platform.artifacts (digest, id) WHERE digest <> '';

-- Finding artifacts by type and URI. Those that are here already keep an empty place: an importer makes them anew once.
ALTER TABLE platform.artifacts ADD COLUMN place bytea NOT NULL DEFAULT '';
CREATE INDEX artifacts_place ON platform.artifacts (place, id);

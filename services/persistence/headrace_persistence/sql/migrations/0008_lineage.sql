-- Finding artifacts by their content. Those that are here already keep an empty digest.
ALTER TABLE platform.artifacts ADD COLUMN digest text COLLATE "C" NOT NULL DEFAULT '';
-- Texts of what runs made; people's own may be of any length, which an index does not take.
CREATE INDEX metadata_properties_text ON platform.metadata_properties (name, left(string_value, 500))
    WHERE made AND kind = 1 AND string_value IS NOT NULL AND length(name) <= 200;
CREATE INDEX artifacts_digest ON platform.artifacts (digest, id) WHERE digest <> '';

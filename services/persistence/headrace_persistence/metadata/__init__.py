"""ML Metadata's public API over the platform's own rows: types, nodes, what connects them, filters and lineage."""

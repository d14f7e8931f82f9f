"""Headrace embedded: the composition root, all services in one process with a bundled Postgres."""

"""Servicekit: server bootstrap, settings, errors, deadlines, health, telemetry, Postgres."""

"""Prometheus metrics of all services: what there is (`definitions`), and the port that tells it (`listening`)."""

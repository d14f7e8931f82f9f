"""Traces as a projection of events: spans.py makes them, exporting.py sends out those of what has ended."""

"""Lineage: artifacts across runs, what they were made of and what was made of them. Reads alone."""

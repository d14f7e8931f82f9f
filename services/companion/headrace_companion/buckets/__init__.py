"""Artifacts in S3-compatible stores: the layout, who grants ways to objects, and the store that goes those ways."""

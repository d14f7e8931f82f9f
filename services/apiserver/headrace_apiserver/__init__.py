"""Headrace apiserver: the public API over gRPC and REST; holds no state, no SQL."""

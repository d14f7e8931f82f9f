"""Headrace cache: fingerprints to reusable outputs; owns schema `cache`."""

"""Fluent makers of the values that tests are about: compiled pipelines and what surrounds them."""

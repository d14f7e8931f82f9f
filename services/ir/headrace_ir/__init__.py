"""Headrace IR: reads pipeline specs, validates them, compiles the Plan. Pure."""

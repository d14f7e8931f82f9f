"""Headrace persistence (the agent): owns schema `platform`; events and rows in one transaction."""

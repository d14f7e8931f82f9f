"""The executor port and its implementations: process, simulated (kubernetes later)."""

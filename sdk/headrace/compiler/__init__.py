"""Python → IR."""

"""How long things are kept: policies, what follows from them, carrying it out, and erasing artifacts (docs/adr/0022)."""

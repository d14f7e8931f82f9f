"""How runs look as text: glyphs, durations, the tree of tasks, lines, progress on a terminal. Used by api, local and the CLI."""

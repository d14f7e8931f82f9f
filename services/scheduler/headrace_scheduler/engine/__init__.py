"""The pure engine: run state, step, values, placeholders, conditions. No I/O, no clock."""

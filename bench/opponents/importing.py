"""Both sides' program: execute one import statement in a fresh interpreter and print its milliseconds."""

import sys
import time

statement = sys.argv[1]
started = time.perf_counter()
exec(statement, {})
print((time.perf_counter() - started) * 1e3)

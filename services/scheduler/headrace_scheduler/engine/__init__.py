"""The pure engine: what happens next in a run, decided over immutable values. No I/O, no clock, no randomness.

`PlanIndex(plan)` once for a run, `RunState.load(index, snapshot)`, then `step` for ever; `pending` after a load. What events
mean is folding.py's, what is next for one execution beginning.py's, attempting.py's, expanding.py's and ending.py's.
"""

from __future__ import annotations

from headrace_scheduler.engine.commanding import in_flight, launch_of, pending
from headrace_scheduler.engine.folding import fold
from headrace_scheduler.engine.indexing import PlanIndex
from headrace_scheduler.engine.state import RunState
from headrace_scheduler.engine.stepping import Step, step

__all__ = ["PlanIndex", "RunState", "Step", "fold", "in_flight", "launch_of", "pending", "step"]

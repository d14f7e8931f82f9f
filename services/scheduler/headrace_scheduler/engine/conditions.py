"""The engine's door to conditions and expression selectors. They live in headrace_ir because static validation parses
them too and may not import the scheduler; nothing is defined here.
"""

from __future__ import annotations

from headrace_ir.conditions import ConditionProblem, Expression, decide, evaluate, parse, select, variables

__all__ = ["ConditionProblem", "Expression", "decide", "evaluate", "parse", "select", "variables"]

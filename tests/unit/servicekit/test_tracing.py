"""W3C trace context: parsing as the standard asks, and the context that calls carry."""

from __future__ import annotations

import pytest

from headrace_servicekit import tracing
from headrace_servicekit.tracing import TraceContext

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("sampled", [True, False])
def test_a_context_survives_its_text(sampled):
    context = TraceContext(TRACE, SPAN, sampled)
    assert tracing.parse(str(context)) == context


def test_a_later_version_is_read_by_its_known_part():
    assert tracing.parse(f"01-{TRACE}-{SPAN}-03-more") == TraceContext(TRACE, SPAN, sampled=True)


MALFORMED = [
    "",
    "garbage",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_context_is_none(text):
    assert tracing.parse(text) is None


def test_what_runs_within_a_context_carries_it():
    context = TraceContext(TRACE, SPAN)
    with tracing.within(context):
        assert tracing.current() == context
    assert tracing.current() is None

"""Path templates: what they capture, and that a verb or a slash is never swallowed."""

from __future__ import annotations

import pytest

from headrace_apiserver.gateway.paths import compile_template


def test_a_variable_is_one_segment_and_is_decoded():
    template = compile_template("/v/pipelines/names/{name}")
    assert template.match("/v/pipelines/names/a%2Fb%20c") == {"name": "a/b c"}
    assert template.match("/v/pipelines/names/a/b") is None
    assert template.match("/v/pipelines/names/") is None


def test_a_verb_is_matched_after_the_variable():
    template = compile_template("/v/runs/{run_id}:archive")
    assert template.match("/v/runs/x:archive") == {"run_id": "x"}
    assert template.match("/v/runs/x:y:archive") == {"run_id": "x:y"}
    assert template.match("/v/runs/x") is None


def test_dotted_fields_and_deep_wildcards():
    template = compile_template("/v/{pipeline.pipeline_id}/{rest=files/**}")
    assert template.match("/v/p1/files/a/b") == {"pipeline.pipeline_id": "p1", "rest": "files/a/b"}
    assert template.match("/v/p1/other/a") is None


def test_literals_rank_before_variables():
    assert compile_template("/v/pipelines/names/{n}").rank < compile_template("/v/pipelines/{p}/versions").rank


def test_a_template_outside_the_grammar_is_refused_at_start():
    with pytest.raises(ValueError, match="wrong at character"):
        compile_template("/v/{unclosed")

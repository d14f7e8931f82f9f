"""Every function of `headrace.kubernetes` against the official SDK: names, parameters, and what each notes on a task."""

from __future__ import annotations

import json

import pytest

from fixtures.fix_kfp_peer import ROOT
from headrace import dsl, kubernetes
from headrace.compiler.compiling import compile_component
from headrace.kubernetes.documents import spelled
from peers.kubernetes_cases import CASES, CLAIMS, signatures
from peers.test_examples import run_peer

OURS_ALONE = {"add_init_container", "add_pod_affinity", "use_accelerator", "use_shared_memory"}


@pytest.fixture(scope="module")
def official(kfp_python):
    return json.loads(run_peer(kfp_python, ROOT / "tests/peers/kubernetes_cases.py"))


@dsl.component
def name() -> str:
    raise NotImplementedError


@dsl.component
def labels() -> dict:
    raise NotImplementedError


@dsl.component
def work() -> None:
    raise NotImplementedError


@pytest.fixture(scope="module")
def ours():
    """What each case notes on a task of ours."""
    found = {}

    @dsl.pipeline
    def cases(text: str, given: dict):
        first, second = name(), labels()
        for title, case in CASES.items():
            task = work()
            case(kubernetes, task, first.output, second.output, text, given)
            config = spelled(task.platform_config, reference)
            found[title] = {"config": config, "after": sorted(set(task.dependent_tasks))}

    return found


def reference(found):
    """How the root of a pipeline refers to a channel."""
    if found.producer is None:
        return {"componentInputParameter": found.name}
    return {"taskOutputParameter": {"producerTask": found.producer.name, "outputParameterKey": found.name}}


def test_the_names_are_kfps_and_three_of_ours(official):
    assert set(kubernetes.__all__) == set(official["all"]) | OURS_ALONE


def test_parameters_are_kfps_in_their_order(official):
    found = signatures(kubernetes)
    assert len(official["signatures"]) == 20
    assert {name: found[name] for name in official["signatures"]} == official["signatures"]


@pytest.mark.parametrize("title", CASES)
def test_a_task_is_given_what_kfp_gives_it(official, ours, title):
    assert ours[title] == official["cases"][title]


def without_descriptions(document):
    """The interface's prose is ours."""
    if isinstance(document, dict):
        kept = {name: one for name, one in document.items() if not (name == "description" and isinstance(one, str))}
        return {name: without_descriptions(one) for name, one in kept.items() if name != "sdkVersion"}
    return document


@pytest.mark.parametrize("name", CLAIMS)
def test_the_operations_on_claims_are_kfps(official, name):
    compiled = compile_component(getattr(kubernetes, name)).spec
    assert without_descriptions(compiled) == without_descriptions(official["claims"][name])

"""Every function of `headrace.kubernetes` against the official SDK: names, parameters, and what each notes on a task."""

from __future__ import annotations

import json

import pytest

from fixtures.fix_kfp_peer import ROOT
from headrace import kubernetes
from headrace.compiler.compiling import compile_component
from headrace.dsl.channels import ParameterChannel
from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.documents import spelled
from peers.kubernetes_cases import CASES, CLAIMS, signatures
from peers.test_examples import run_peer

OURS_ALONE = {"add_init_container", "add_pod_affinity", "use_shared_memory"}


@pytest.fixture(scope="module")
def official(kfp_python):
    return json.loads(run_peer(kfp_python, ROOT / "tests/peers/kubernetes_cases.py"))


def task(name):
    made = PipelineTask.__new__(PipelineTask)
    made.name, made.component, made.platform_config, made.after_ = name, None, {}, []
    return made


def channel(name, producer=None):
    made = ParameterChannel.__new__(ParameterChannel)
    made.name, made.producer = name, producer
    return made


def reference(found):
    """How the root of a pipeline refers to a channel."""
    if found.producer is None:
        return {"componentInputParameter": found.name}
    return {"taskOutputParameter": {"producerTask": found.producer.name, "outputParameterKey": found.name}}


def test_the_names_are_kfps_and_three_of_ours(official):
    assert set(kubernetes.__all__) == set(official["all"]) | OURS_ALONE


def test_parameters_are_kfps_in_their_order(official):
    ours = signatures(kubernetes)
    assert len(official["signatures"]) == 20
    assert {name: ours[name] for name in official["signatures"]} == official["signatures"]


@pytest.mark.parametrize("title", CASES)
def test_a_task_is_given_what_kfp_gives_it(official, title):
    made, first, second = task("work"), task("name"), task("labels")
    outputs = channel("Output", first), channel("Output", second)
    CASES[title](kubernetes, made, *outputs, channel("text"), channel("given"))
    ours = {"config": spelled(made.platform_config, reference), "after": sorted({one.name for one in made.after_})}
    assert ours == official["cases"][title]


def without_descriptions(document):
    """The interface's prose is ours."""
    if isinstance(document, dict):
        kept = {name: one for name, one in document.items() if not (name == "description" and isinstance(one, str))}
        return {name: without_descriptions(one) for name, one in kept.items() if name != "sdkVersion"}
    return document


@pytest.mark.parametrize("name", CLAIMS)
def test_the_operations_on_claims_are_kfps(official, name):
    ours = compile_component(getattr(kubernetes, name)).spec
    assert without_descriptions(ours) == without_descriptions(official["claims"][name])

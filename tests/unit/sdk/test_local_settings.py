"""`local.init`: the surface, what it refuses, and what it says has no effect."""

from __future__ import annotations

import inspect

import pytest

from headrace import local
from headrace.dsl.mistakes import DefinitionError
from headrace.local import settings

KFP = ["runner", "pipeline_root", "workspace_root", "raise_on_error", "enable_caching", "cache_root"]


@pytest.fixture(autouse=True)
def as_if_not_called(monkeypatch):
    monkeypatch.setattr(settings, "_current", settings._Current())


def test_the_names():
    assert set(local.__all__) == {
        "DockerRunner",
        "LocalRun",
        "LocalTask",
        "NoServer",
        "RunFailed",
        "SubprocessRunner",
        "init",
        "run",
    }
    for name in local.__all__:
        assert getattr(local, name) is not None
    assert set(local.__all__) <= set(dir(local))


def test_kfps_parameters_come_first_in_kfps_order():
    parameters = inspect.signature(local.init).parameters.values()
    assert [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD] == KFP


def test_a_runner_without_its_own_environment_is_this_environment():
    local.init(local.SubprocessRunner(use_venv=False))
    assert settings.current().use_current_environment
    local.init(local.SubprocessRunner())
    assert not settings.current().use_current_environment
    assert settings.current() == settings.LocalSettings()


def test_the_root_is_a_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local.init(pipeline_root="./out puts")
    assert settings.current().pipeline_root == f"file://{tmp_path}/out%20puts"
    local.init(pipeline_root="s3://bucket/here")
    assert settings.current().pipeline_root == "s3://bucket/here"


MISTAKES = [
    (
        lambda: local.init("docker"),
        "local.init() takes local.SubprocessRunner() or local.DockerRunner() as 'runner', got 'docker'; "
        "leave it out for processes",
    ),
    (
        lambda: local.init(loglevel="loud"),
        "local.init() takes one of debug, info, warning, error as 'loglevel', got 'loud'",
    ),
    (
        lambda: local.init(inline=True, use_current_environment=True),
        "local.init() takes 'inline' or 'use_current_environment', not both; inline is in this environment",
    ),
    (
        lambda: local.run(print),
        "local.run() takes a pipeline or a component first, got a value of type builtin_function_or_method; "
        "decorate the function with @dsl.pipeline",
    ),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_mistakes(call, message):
    with pytest.raises(DefinitionError) as caught:
        call()
    assert str(caught.value) == f"{__file__}:{call.__code__.co_firstlineno}: {message}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"runner": local.DockerRunner(network="host")},
            "local.DockerRunner has no effect: no containers are run here; tasks run as processes of this machine, and a "
            "container component's command directly on it",
        ),
        (
            {"workspace_root": "/w"},
            "'workspace_root' of local.init() has no effect: each run has a workspace of its own, which goes with it",
        ),
        ({"cache_root": "/c"}, "'cache_root' of local.init() has no effect: the platform keeps its cache itself"),
    ],
)
def test_what_has_no_effect_is_said_once(given, sentence, recwarn):
    with pytest.warns(UserWarning, match="has no effect: ") as told:
        local.init(**given)
    assert [(str(one.message), one.filename) for one in told] == [(sentence, __file__)]
    local.init(**given)
    assert [str(one.message) for one in recwarn] == []

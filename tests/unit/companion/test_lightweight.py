"""Which commands are lightweight components: the shapes of KFP's SDKs, and near misses that must run literally."""

from __future__ import annotations

import pytest

from builders.launches import KFP, PROGRAM, bootstrap, lightweight, ours
from headrace import __version__
from headrace.compiler.bootstrap import SCRIPT, Settings
from headrace_companion.bootstrap import BOOTSTRAP
from headrace_companion.lightweight import OurRuntime, PipInstall, recognise, runs_our_runtime

SOURCE = "def f():\n    pass\n"
RUNTIME = PipInstall((KFP[0], KFP[2]), no_deps=True)


def test_source_function_and_input_are_found() -> None:
    found = recognise(lightweight(SOURCE, "f"))
    assert found is not None
    assert (found.function, found.executor_input, found.installs) == ("f", "{{$}}", (RUNTIME,))
    assert found.source.endswith(SOURCE)


def test_packages_keep_the_order_of_pip() -> None:
    found = recognise(lightweight(SOURCE, "f", ["pandas==2.2.0", "foo; python_version<'3.9'"], KFP))
    assert found is not None
    assert found.installs == (PipInstall(("pandas==2.2.0", "foo; python_version<'3.9'")), RUNTIME)


def test_index_urls_and_trusted_hosts() -> None:
    options = "--index-url https://a/simple --extra-index-url https://b/simple --trusted-host https://a/simple "
    script = bootstrap(["pandas"]).replace("location ", "location " + options)
    found = recognise(["sh", "-c", script, *lightweight(SOURCE, "f")[3:]])
    assert found is not None
    wanted = PipInstall(("pandas",), False, "https://a/simple", ("https://b/simple",), ("https://a/simple",))
    assert found.installs == (wanted,)


def test_a_private_venv_means_the_same() -> None:
    venv = (
        '\nexport PIP_DISABLE_PIP_VERSION_CHECK=1\ntmp=$(mktemp -d)\npython3 -m venv "$tmp/venv" '
        '--system-site-packages\n. "$tmp/venv/bin/activate"\n'
    )
    script = bootstrap(["pandas"], KFP).replace("  &&  ", f"  &&  {venv} ")
    found = recognise(["sh", "-c", script, *lightweight(SOURCE, "f")[3:]])
    assert found is not None
    assert found.installs == (PipInstall(("pandas",)), RUNTIME)


def test_without_packages() -> None:
    found = recognise(["sh", "-ec", PROGRAM, SOURCE, "--executor_input", "{}", "--function_to_execute", "f"])
    assert found is not None
    assert found.installs == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda argv: [],
        lambda argv: argv[:-1],
        lambda argv: [*argv, "--more"],
        lambda argv: ["bash", *argv[1:]],
        lambda argv: [*argv[:2], argv[2].replace("pip install", "pip download"), *argv[3:]],
        lambda argv: [*argv[:2], argv[2].replace("&& \"$0\"", "; rm -r x && \"$0\""), *argv[3:]],
        lambda argv: [*argv[:2], argv[2].replace("--no-deps", "--user"), *argv[3:]],
        lambda argv: [*argv[:2], argv[2].replace("'kfp", "'--target=/' 'kfp"), *argv[3:]],
        lambda argv: [*argv[:5], argv[5] + "echo more\n", *argv[6:]],
        lambda argv: ["python3", "-m", "kfp.dsl.executor_main", *argv[7:]],
    ],
)  # fmt: skip
def test_near_misses_run_literally(change: object) -> None:
    assert callable(change)
    assert recognise(change(lightweight(SOURCE, "f"))) is None


def test_our_script_is_the_sdks_word_for_word() -> None:
    assert BOOTSTRAP == SCRIPT


def test_our_command_is_recognised() -> None:
    settings = Settings(["pandas>=2", "numpy"], ["https://a", "https://b"], ["h"], use_venv=True, as_kfp=True)
    found = recognise(ours(SOURCE, "f", settings))
    assert found is not None
    assert (found.function, found.executor_input) == ("f", "{{$}}")
    assert found.installs == (PipInstall(("pandas>=2", "numpy"), False, "https://a", ("https://b",), ("h",)),)
    assert found.runtime == OurRuntime(__version__, f"headrace=={__version__}", as_kfp=True)


def test_a_runtime_of_the_components_own_is_installed() -> None:
    found = recognise(ours(SOURCE, "f", Settings(kfp_package_path="./runtime")))
    assert found is not None
    assert found.installs == (PipInstall(("./runtime",), no_deps=True),)
    assert found.runtime == OurRuntime("", "./runtime")


@pytest.mark.parametrize(
    "change",
    [
        lambda argv: argv[:-1],
        lambda argv: [*argv, "--more"],
        lambda argv: ["bash", *argv[1:]],
        lambda argv: [*argv[:2], argv[2] + " ", *argv[3:]],
        lambda argv: [*argv[:4], "--surprise", "word", *argv[4:]],
        lambda argv: [*argv[:4], "--package", "--target=/", *argv[4:]],
        lambda argv: [*argv[:3], "", *argv[4:]],
        lambda argv: [word for word in argv if word != "--"],
    ],
)
def test_near_misses_of_ours_run_literally(change: object) -> None:
    assert callable(change)
    assert recognise(change(ours(SOURCE, "f"))) is None


def test_which_commands_take_their_input_by_file() -> None:
    module = ["python3", "-m", "headrace.runtime", "--executor_input", "{}", "--function_to_execute", "f"]
    assert runs_our_runtime(module)
    assert runs_our_runtime(ours(SOURCE, "f"))
    assert not runs_our_runtime(lightweight(SOURCE, "f"))
    assert not runs_our_runtime(["python3", "-m", "headrace.runtime"])

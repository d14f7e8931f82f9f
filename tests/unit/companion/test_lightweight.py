"""Which commands are lightweight components: the shapes of KFP's SDKs, and near misses that must run literally."""

from __future__ import annotations

import pytest

from builders.launches import KFP, PROGRAM, bootstrap, lightweight
from headrace_companion.lightweight import PipInstall, recognise

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

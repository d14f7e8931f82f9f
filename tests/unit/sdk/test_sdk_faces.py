"""The blocking face is the asyncio face: same classes, methods, parameters, defaults, types and documented errors; and it is what
the generator gives today. Both are typed to the last public name.
"""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headrace.async_client
import headrace.client
from headrace.api.later import Later

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("artifacts", "tasks", "runs", "experiments", "pipelines", "client")
SPECIAL = {"__aenter__": "__enter__", "__aexit__": "__exit__"}


def pairs():
    for module in MODULES:
        theirs, ours = (importlib.import_module(f"headrace.{face}.{module}") for face in ("api", "blocking"))
        for name, one in vars(theirs).items():
            own = inspect.isclass(one) and one.__module__ == theirs.__name__ and name.startswith("Async")
            if own and name != "AsyncArtifactFile":  # its twin is an ordinary file
                yield pytest.param(one, getattr(ours, name.removeprefix("Async")), id=name)


PAIRS = list(pairs())


def public(kind):
    entered = {blocking for pair in SPECIAL.items() for blocking in pair[1:] if any(hasattr(kind, one) for one in pair)}
    return {name for name in dir(kind) if not name.startswith("_")} | entered


def plain(annotation: str) -> str:
    """What an annotation of the asyncio face says on the blocking one."""
    text = re.sub(r"^(?:Later|AbstractAsyncContextManager)\[(.*)\]$", r"\1", str(annotation))
    text = text.replace("AsyncIterator", "Iterator").replace("AsyncArtifactFile", "BinaryIO")
    return re.sub(r"\bAsync(?=[A-Z])", "", text)


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_both_have_the_same_names(theirs, ours):
    more = {"_repr_html_"} if hasattr(theirs, "_html") else set()
    assert public(ours) | more == (public(theirs) | more)
    assert all(hasattr(ours, name) for name in more)


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_both_take_and_give_the_same(theirs, ours):
    for name in sorted(public(theirs) - set(SPECIAL.values())):
        one, other = inspect.getattr_static(theirs, name), inspect.getattr_static(ours, name)
        if isinstance(one, property):
            one, other = one.fget, other.fget
        assert callable(one), name
        assert signature(one, plain) == signature(other, str), name


def signature(function, read):
    found = inspect.signature(function)
    taken = [(p.name, p.kind, p.default, read(p.annotation)) for p in list(found.parameters.values())[1:]]
    assert all(text not in ("", "<class 'inspect._empty'>") for *_, text in taken)
    return taken, read(found.return_annotation)


@pytest.mark.parametrize(("theirs", "ours"), PAIRS)
def test_both_are_documented_with_the_same_words(theirs, ours):
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)
    for name in sorted(public(theirs) - set(SPECIAL.values())):
        said = inspect.getdoc(inspect.getattr_static(theirs, name))
        assert said, f"{theirs.__name__}.{name} says nothing"
        told = inspect.getdoc(inspect.getattr_static(ours, name)) or ""
        assert told in (said, said.replace("async with", "with")) or name == "close"


def test_what_is_awaited_is_a_plain_attribute_there():
    later = [
        (ours, name)
        for theirs, ours in (one.values for one in PAIRS)
        for name in public(theirs)
        if isinstance(found := inspect.getattr_static(theirs, name, None), property)
        and str(found.fget.__annotations__["return"]).startswith(Later.__name__)
    ]
    assert {name for _, name in later} == {
        "tasks",
        "outputs",
        "inputs",
        "artifacts",
        "trace",
        "usage",
        "latest",
        "spec",
    }
    assert all(isinstance(inspect.getattr_static(ours, name), property) for ours, name in later)


def test_the_blocking_face_is_what_is_generated():
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "gen_blocking.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_a_change_of_the_asyncio_face_is_noticed(tmp_path):
    """The check itself: a generator whose source differs says which file is stale."""
    sdk = tmp_path / "sdk" / "headrace"
    for folder in ("api", "blocking"):
        (sdk / folder).mkdir(parents=True)
        for path in (ROOT / "sdk" / "headrace" / folder).glob("*.py"):
            (sdk / folder / path.name).write_text(path.read_text())
    (tmp_path / "tools").mkdir()
    generator = tmp_path / "tools" / "gen_blocking.py"
    generator.write_text((ROOT / "tools" / "gen_blocking.py").read_text())
    runs = sdk / "api" / "runs.py"
    runs.write_text(runs.read_text().replace("check: bool = False", "check: bool = True"))
    done = subprocess.run([sys.executable, generator, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == (
        "sdk/headrace/blocking/runs.py is not what headrace.api generates: run `make generate` and commit the result\n"
    )


def test_both_modules_export_the_same():
    theirs = {name.removeprefix("Async") for name in headrace.async_client.__all__}
    assert theirs - {"ArtifactFile"} == set(headrace.client.__all__)

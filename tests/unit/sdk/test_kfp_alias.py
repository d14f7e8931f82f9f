"""`import kfp` answered by Headrace: only where asked, undone whole, never over the real one, a sentence for what lacks."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from headrace import kfp_alias
from headrace.errors import BadInput
from headrace.kfp_alias.names import MODULES


@pytest.fixture(autouse=True)
def _as_it_was():
    before = {name: module for name, module in sys.modules.items() if name == "kfp" or name.startswith("kfp.")}
    for name in before:
        del sys.modules[name]
    yield
    kfp_alias.undo()
    for name in [name for name in sys.modules if name == "kfp" or name.startswith("kfp.")]:
        del sys.modules[name]
    sys.modules.update(before)


def test_it_is_off_until_asked_for():
    assert not kfp_alias.is_on()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("kfp.dsl")


def test_kfp_is_ours_while_it_is_on():
    with kfp_alias.installed():
        import kfp
        from kfp import dsl

        assert kfp_alias.is_on()
        assert kfp.__version__ == "2.17.3"
        assert kfp.dsl is dsl
    assert not kfp_alias.is_on()
    assert not {"kfp.dsl", "kfp.compiler"} & set(sys.modules)


def test_one_that_was_on_stays_on():
    kfp_alias.install()
    with kfp_alias.installed():
        pass
    assert kfp_alias.is_on()


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_module_can_be_imported(name):
    with kfp_alias.installed():
        assert importlib.import_module(name).__name__ == name


def test_a_module_that_we_lack_is_a_sentence():
    with kfp_alias.installed(), pytest.raises(ModuleNotFoundError) as failed:
        importlib.import_module("kfp.registry")
    assert str(failed.value) == (
        "Headrace, which answers for kfp here, has no kfp.registry: Headrace keeps pipelines itself; "
        "use Client.upload_pipeline"
    )


def test_a_name_that_we_lack_is_a_sentence_however_it_is_asked_for():
    expected = (
        "Headrace, which answers for kfp here, has no kfp.dsl.ContainerOp: KFP's SDK has had none since 2.0; "
        "use @dsl.container_component instead"
    )
    with kfp_alias.installed():
        with pytest.raises(ImportError) as failed:
            exec("from kfp.dsl import ContainerOp", {})
        assert str(failed.value) == expected
        from kfp import dsl

        with pytest.raises(AttributeError) as missing:
            _ = dsl.ContainerOp
        assert str(missing.value) == expected
        assert not hasattr(dsl, "nothing_of_this_name")


def test_a_name_that_nobody_knows_says_whose_fault_it_may_be():
    with kfp_alias.installed(), pytest.raises(ImportError) as failed:
        exec("from kfp.dsl.structures import Nonsense", {})
    assert str(failed.value) == (
        "Headrace, which answers for kfp here, has no kfp.dsl.structures.Nonsense: "
        "if it is public in KFP's SDK, that is a fault of ours; else use what kfp.dsl has"
    )


def test_kfps_own_sdk_is_not_covered_up():
    real = ModuleType("kfp")
    real.__file__ = "/site-packages/kfp/__init__.py"
    sys.modules["kfp"] = real
    with pytest.raises(BadInput) as refused:
        kfp_alias.install()
    assert str(refused.value) == (
        "KFP's own SDK is imported already, from /site-packages/kfp/__init__.py, so that Headrace cannot answer for it; "
        "call headrace.kfp_alias.install() before the first `import kfp`, or change the imports to headrace"
    )
    assert not kfp_alias.is_on()
    assert sys.modules["kfp"] is real


def test_the_irs_own_package_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "kfp" / "pipeline_spec").mkdir(parents=True)
    (tmp_path / "kfp" / "pipeline_spec" / "__init__.py").write_text("")
    (tmp_path / "kfp" / "pipeline_spec" / "spec.py").write_text("HERE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = importlib.import_module("kfp.pipeline_spec")
    with kfp_alias.installed():
        assert importlib.import_module("kfp").__version__ == "2.17.3"
        assert importlib.import_module("kfp.pipeline_spec") is before
        assert importlib.import_module("kfp.pipeline_spec.spec").HERE == 1
    assert not hasattr(importlib.import_module("kfp"), "__version__")


def test_turning_it_on_costs_no_more_than_the_standard_library():
    code = (
        "import sys, json; before = set(sys.modules); import headrace.kfp_alias as alias; alias.install(); "
        "import kfp; from kfp import dsl; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    out = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in json.loads(out)}
    assert loaded <= set(sys.stdlib_module_names) | {"headrace", "kfp"}


def test_what_googles_components_ask_of_an_input():
    """They look for inputs in nested values, and write those that are no strings without quotes."""
    with kfp_alias.installed():
        from kfp import dsl
        from kfp.components import placeholders

        seen = []

        @dsl.container_component
        def op(name: str, count: int, note: dsl.OutputPath(str)):
            given = [one for one in (name, count, note) if isinstance(one, placeholders.InputValuePlaceholder)]
            seen.extend((one.input_name, one._ir_type) for one in given)
            assert isinstance(note, placeholders.Placeholder)
            return dsl.ContainerSpec(
                image="busybox", command=["echo", json.dumps({"n": name}, default=str)], args=[note]
            )

        assert op.name == "op"
    assert seen == [("name", "STRING"), ("count", "NUMBER_INTEGER")]

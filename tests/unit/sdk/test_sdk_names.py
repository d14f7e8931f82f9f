"""What `import headrace` alone gives, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

import headrace


@pytest.mark.parametrize("name", [*headrace.__all__, "compiler", "components", "dsl", "errors", "kubernetes", "local"])
def test_a_public_name_is_there_without_another_import(name):
    code = f"import headrace; print(getattr(headrace, {name!r}))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="module 'headrace' has no attribute 'clinet'"):
        headrace.clinet  # noqa: B018

"""Which lines are the user's: mistakes name them, however our package and their files are called and linked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import headrace
from headrace.dsl.mistakes import OURS, here

LOOK = "from headrace.dsl.mistakes import here\nfound = here()\n"


def test_a_package_beside_ours_whose_name_begins_as_ours_is_the_users() -> None:
    file = os.path.join(OURS.rstrip(os.sep) + "_pipelines", "training.py")
    names: dict[str, object] = {}
    exec(compile(LOOK, file, "exec"), names)
    assert str(names["found"]) == f"{file}:2"


def test_our_own_frames_are_passed_over() -> None:
    names: dict[str, object] = {"here": here}
    exec(compile("def ask():\n    return here()\n", os.path.join(OURS, "dsl", "some.py"), "exec"), names)
    asked = names["ask"]
    assert callable(asked)
    assert asked().file == __file__


def test_ours_are_known_where_the_package_is_reached_by_a_link(tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.symlink_to(Path(headrace.__file__).parent.parent, target_is_directory=True)
    script = tmp_path / "look.py"
    script.write_text("from headrace.dsl import If\n\nIf(True)\n")
    environment = {**os.environ, "PYTHONPATH": str(linked)}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert f"DefinitionError: {script}:3: dsl.If is used outside of a pipeline" in done.stderr

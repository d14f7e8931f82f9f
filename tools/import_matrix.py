"""Installs headrace's wheels beside what users have, on every Python there is, imports them together and compiles a pipeline.

`python tools/import_matrix.py [PYTHON…]`; without arguments 3.11, 3.12 and 3.13 of pyenv and of the PATH. `make test-imports`.
An interpreter that is missing is said, and fails only where CI is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from headrace_companion.lightweight import PipInstall
from headrace_scheduler.executors.process.indexes import config_files, pip_settings, uv_variables

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
SETS = {
    "kfp": ("kfp.dsl", "sklearn"),
    "old": ("google.protobuf", "pydantic", "numpy", "pandas", "sklearn"),
    "new": ("google.protobuf", "pydantic", "numpy", "pandas", "sklearn"),
}
PROGRAM = """
import importlib, sys, warnings
warnings.simplefilter("error")
import headrace, headrace.client
from headrace import compiler, dsl
warnings.simplefilter("default")
for name in sys.argv[1].split(","):
    importlib.import_module(name)

@dsl.component(base_image="python:3.11")
def add(a: int, b: int = 2) -> int:
    return a + b

@dsl.pipeline(name="adding")
def adding(a: int = 1) -> int:
    return add(a=add(a=a).output).output

compiler.Compiler().compile(adding, sys.argv[2])
with open(sys.argv[2]) as file:
    assert "add-2:" in file.read()

if "pydantic" in sys.modules:  # 1 and 2: a model as input and output of a component that runs
    import json
    from headrace.runtime.command_line import main
    with open("model.py", "w") as file:
        file.write("import pydantic\\nclass M(pydantic.BaseModel):\\n    n: int\\n")
        file.write("def f(m: M) -> dict:\\n    return M(n=m.n + 1)\\n")
    task = {"inputs": {"parameterValues": {"m": {"n": 1}}}, "outputs": {"outputFile": "out.json"}}
    words = ["--component_module_path", "model.py", "--executor_input", json.dumps(task), "--function_to_execute", "f"]
    assert main(words) == 0
    with open("out.json") as file:
        assert json.load(file) == {"parameterValues": {"Output": {"n": 2}}}
"""


def interpreters() -> dict[str, str]:
    """One interpreter of each version: pyenv's (its shims may fail, so by path), else the one on the PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = {}
    for version in VERSIONS:
        own = sorted(pyenv.glob(f"{version}.*/bin/python"))
        path = str(own[-1]) if own else shutil.which(f"python{version}")
        if path and subprocess.run([path, "-c", "import venv"], check=False).returncode == 0:
            found[version] = path
    return found


def beside(python: str, name: str, wheels: list[Path], folder: Path) -> None:
    """One environment with one set, and the program in it."""
    uv = str(Path(sys.executable).with_name("uv"))
    indexes = uv_variables(pip_settings(os.environ, config_files(os.environ)), PipInstall(()), os.environ)
    env = {**os.environ, **indexes}
    inside = str(folder / "bin" / "python")
    install = [uv, "pip", "install", "-q", "--python", inside, "--no-deps"]
    subprocess.run([uv, "venv", "-q", "--no-python-downloads", "--python", python, str(folder)], env=env, check=True)
    pins = ROOT / "requirements" / f"imports-{name}.txt"
    subprocess.run([*install, "--require-hashes", "-r", str(pins)], env=env, check=True)
    subprocess.run([*install, *map(str, wheels)], env=env, check=True)
    file = folder / "program.py"
    file.write_text(PROGRAM)
    subprocess.run(
        [inside, str(file), ",".join(SETS[name]), str(folder / "adding.yaml")], env=env, check=True, cwd=folder
    )


def main(pythons: list[str]) -> int:
    chosen = {path: path for path in pythons} or interpreters()
    missing = set() if pythons else set(VERSIONS) - set(chosen)
    with tempfile.TemporaryDirectory(prefix="headrace-imports-") as made:
        folder = Path(made) / "wheels"
        subprocess.run(
            [sys.executable, str(ROOT / "tools/build_wheels.py"), str(folder)], check=True, stdout=subprocess.DEVNULL
        )
        wheels = sorted(folder.glob("*.whl"))
        for version, python in chosen.items():
            for name in SETS:
                started = time.monotonic()
                beside(python, name, wheels, Path(made) / f"{name}-{len(os.listdir(made))}")
                print(f"Python {version} beside {name}: {time.monotonic() - started:.1f} s", flush=True)
    for version in sorted(missing):
        print(f"Python {version} is not on this machine: not tried")
    return 1 if not chosen or (missing and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

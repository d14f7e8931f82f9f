"""The wheels of headrace as users and step containers get them: what they bring, and a component's command beside nothing.

The runtime's package is not published, so it comes from a folder of wheels, as from an index.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.fix_kfp_peer import ROOT, peer_environment
from headrace import __version__
from headrace.compiler.bootstrap import Settings, lightweight
from headrace.compiler.module_texts import module_source
from headrace_companion.lightweight import PipInstall
from headrace_scheduler.executors.process.indexes import config_files, pip_settings, uv_variables

BROUGHT = {
    "headrace",
    "headrace-protos",
    "PyYAML",
    "protobuf",
    "googleapis-common-protos",
    "grpcio",
    "typing-extensions",
}
SOURCE = module_source(
    """
def look(name: str, made: Output[Artifact]) -> str:
    import os, sys
    from pathlib import Path
    Path(made.path).write_text(f"hello {name}")
    folder = Path(sys.modules["headrace"].__file__).parent.parent
    try:
        import tiny
    except ImportError:
        tiny = None
    return f"{folder} {sorted(each.name for each in folder.iterdir())} {getattr(tiny, '__file__', None)}"
"""
)


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, as /tmp in a container."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-wheels-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def wheels(open_folder: Path) -> Path:
    folder = open_folder / "wheels"
    subprocess.run(
        [sys.executable, str(ROOT / "tools/build_wheels.py"), str(folder)], check=True, stdout=subprocess.DEVNULL
    )
    _tiny(folder)
    return folder


def _tiny(folder: Path) -> None:
    """A package that stands for what a component installs."""
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", f"tiny.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture(scope="module")
def pip_alone(open_folder: Path) -> Path:
    """An environment with pip and nothing else; its interpreter is one that every user may run."""
    folder = open_folder / "pip-alone"
    candidates = [one for one in ("/usr/bin/python3.11", "/usr/local/bin/python3.11") if Path(one).exists()]
    whole = [one for one in candidates if subprocess.run([one, "-c", "import ensurepip"], check=False).returncode == 0]
    subprocess.run([[*whole, sys.executable][0], "-m", "venv", str(folder)], check=True)
    return folder


@pytest.fixture
def bare(open_folder: Path, pip_alone: Path) -> Iterator[Path]:
    """A copy of it for one test."""
    folder = open_folder / "bare"
    shutil.copytree(pip_alone, folder, symlinks=True)
    yield folder
    for path in folder.rglob("site-packages"):
        path.chmod(0o755)  # a test may have taken that away
    shutil.rmtree(folder)


class Container:
    """Runs a component's command as a container would: no HOME, nothing of this environment."""

    def __init__(self, environment: Path, scratch: Path) -> None:
        self.environment = environment
        self.scratch = scratch
        self.before = self.packages()

    def packages(self) -> list[str]:
        return sorted(
            path.name for path in self.environment.glob("lib/*/site-packages/*") if path.name != "__pycache__"
        )

    def run(self, settings: Settings, *prefix: str, **env: str) -> subprocess.CompletedProcess[str]:
        planned = {"name": "made", "uri": f"{self.scratch}/made", "type": {"schemaTitle": "system.Artifact"}}
        document = {
            "inputs": {"parameterValues": {"name": "you"}},
            "outputs": {"artifacts": {"made": {"artifacts": [planned]}}, "outputFile": f"{self.scratch}/output.json"},
        }
        command, args = lightweight("look", SOURCE, settings)
        args[1] = json.dumps(document)
        clean = {
            "PATH": f"{self.environment}/bin:/usr/bin:/bin",
            "TMPDIR": str(self.scratch),
            "PIP_NO_INDEX": "1",
            **env,
        }
        return subprocess.run(
            [*prefix, *command, *args], env=clean, cwd=self.scratch, capture_output=True, text=True, check=False
        )

    def returned(self) -> str:
        assert (self.scratch / "made").read_text() == "hello you"
        return str(json.loads((self.scratch / "output.json").read_text())["parameterValues"]["Output"])


@pytest.fixture
def container(bare: Path, open_folder: Path) -> Iterator[Container]:
    scratch = open_folder / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    yield Container(bare, scratch)
    shutil.rmtree(scratch)


def test_one_package_is_installed_and_the_image_stays_as_it_is(container: Container, wheels: Path) -> None:
    done = container.run(Settings(), PIP_FIND_LINKS=str(wheels))
    assert (done.returncode, done.stderr) == (0, "")
    returned = container.returned()
    assert f"['bin', 'headrace', 'headrace-{__version__}.dist-info']" in returned
    assert returned.startswith(str(container.scratch))
    assert container.packages() == container.before


def test_with_the_runtime_there_nothing_is_installed(container: Container, wheels: Path) -> None:
    pip = [str(container.environment / "bin/python"), "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--find-links", str(wheels), "headrace"], check=True, env={"PATH": os.environ["PATH"]})
    done = container.run(Settings())
    assert (done.returncode, done.stderr) == (0, "")
    assert container.returned().startswith(str(container.environment))
    assert [path.name for path in container.scratch.glob("*/headrace")] == []


def test_with_no_index_one_sentence(container: Container) -> None:
    done = container.run(Settings())
    assert done.returncode == 1
    assert done.stderr == (
        f"headrace: headrace=={__version__}, which runs the component, cannot be installed "
        f"(ERROR: No matching distribution found for headrace=={__version__}): "
        "put it into the image, or give pip_index_urls\n"
    )


def test_packages_are_installed_first(container: Container, wheels: Path) -> None:
    done = container.run(Settings(["tiny"]), PIP_FIND_LINKS=str(wheels))
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiny.py" in container.packages()
    assert container.returned().endswith(f"{next(container.environment.glob('lib/*/site-packages/tiny.py'))}")


def test_a_package_that_cannot_be_installed(container: Container) -> None:
    done = container.run(Settings(["tiny"]))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "headrace: the component's packages cannot be installed; pip's reason stands above"
    )


def test_a_venv_of_its_own(container: Container, wheels: Path) -> None:
    done = container.run(Settings(["tiny"], use_venv=True), PIP_FIND_LINKS=str(wheels))
    assert (done.returncode, done.stderr) == (0, "")
    assert container.packages() == container.before
    assert "/venv/lib/" in container.returned()


def test_another_user_whose_image_is_not_writable(container: Container, wheels: Path) -> None:
    prefix = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"] if os.geteuid() == 0 else []
    for path in container.environment.rglob("site-packages"):
        path.chmod(0o555)
    done = container.run(Settings(["tiny"]), *prefix, PIP_FIND_LINKS=str(wheels))
    assert done.returncode == 0, done.stderr
    assert str(container.scratch) in container.returned().split()[-1]
    assert container.packages() == container.before


def test_what_headrace_brings(wheels: Path, tmp_path: Path) -> None:
    """Resolved and installed into an empty environment, in the versions of run.txt."""
    pins = re.findall(r"^([\w.-]+==[^\s;\\]+)", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE)
    (tmp_path / "constraints").write_text("\n".join(pins))
    venv.create(tmp_path / "empty")
    python = str(tmp_path / "empty/bin/python")
    indexes = uv_variables(pip_settings(os.environ, config_files(os.environ)), PipInstall(()), os.environ)
    uv = str(Path(sys.executable).with_name("uv"))
    words = [
        uv,
        "pip",
        "install",
        "-q",
        "--python",
        python,
        "--find-links",
        str(wheels),
        "-c",
        str(tmp_path / "constraints"),
    ]
    subprocess.run([*words, "headrace"], env={**os.environ, **indexes}, check=True)
    code = "import importlib.metadata as m, json; print(json.dumps([d.metadata['Name'] for d in m.distributions()]))"
    found = json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert {_plain(name) for name in found} <= {_plain(name) for name in BROUGHT}
    for module in ("headrace.compiler", "headrace.dsl", "headrace.client", "headrace.cli", "headrace.kubernetes"):
        subprocess.run([python, "-W", "error", "-c", f"import {module}"], check=True)
    help_ = subprocess.run(
        [str(Path(python).with_name("headrace")), "--help"], capture_output=True, text=True, check=True
    )
    assert "compile" in help_.stdout


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_dependency_has_an_upper_bound(wheels: Path) -> None:
    bounds = []
    for wheel in wheels.glob("headrace*.whl"):
        with zipfile.ZipFile(wheel) as held:
            metadata = held.read(next(name for name in held.namelist() if name.endswith("/METADATA"))).decode()
        bounds += re.findall(r"^Requires-Dist: ([^;\n]+)$", metadata, re.MULTILINE)
    assert bounds
    assert [one for one in bounds if re.search(r"<|~=|!=", one)] == []
    assert [one for one in bounds if "==" in one] == [f"headrace-protos=={__version__}"]


KFP_LOCAL = """
import sys
from kfp import components, local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
task = components.load_component_from_file(sys.argv[1])(name="you")
with open(task.outputs["made"].path) as file:
    print("made", file.read(), "returned", task.outputs["Output"])
"""


def test_kfp_local_runs_the_command(kfp_python: Path, wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(
        "from headrace import compiler, dsl\n\n\n@dsl.component\n"
        "def look(name: str, made: dsl.Output[dsl.Artifact]) -> str:\n"
        "    # python3 in a component's own text stays as it is\n"
        '    with open(made.path, "w") as file:\n        file.write(f"hello {name}")\n'
        '    return "python3"\n\n\ncompiler.Compiler().compile(look, "look.yaml")\n'
    )
    subprocess.run([sys.executable, "look.py"], cwd=tmp_path, check=True)
    (tmp_path / "peer.py").write_text(KFP_LOCAL)
    env = peer_environment(PIP_FIND_LINKS=str(wheels), PIP_NO_INDEX="1")
    words = [str(kfp_python), "peer.py", "look.yaml", str(tmp_path / "root")]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "made hello you returned python3" in done.stdout

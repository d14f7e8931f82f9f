"""docs/guides/from-kfp.md as it stands: its files are written, its commands run in their order, and then its calls of the client.

So does what docs/guides/pipelines.md says of running.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.platforms import HEADRACE, Platform, platform_environment

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def shell(platform: Platform, folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """SCRIPT, of which every line must succeed, where `headrace` and `python` are ours."""
    environment = platform_environment(platform.home, "127.0.0.1:0", "127.0.0.1:0", {})
    path = os.pathsep.join([str(HEADRACE.parent), str(Path(sys.executable).parent), environment["PATH"]])
    return subprocess.run(
        ["bash", "-euxc", script],
        env={**environment, "PATH": path, "HEADRACE_ENDPOINT": platform.url},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.timeout(300)
def test_moving_over_from_kfp(platform: Platform, tmp_path: Path):
    said = ""
    for language, text in BLOCK.findall((GUIDES / "from-kfp.md").read_text()):
        if language == "sh":
            done = shell(platform, tmp_path, text)
            assert done.returncode == 0, done.stdout + done.stderr
            said += done.stdout
            continue
        name = text.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(text)
        if name == "calls.py":
            done = shell(platform, tmp_path, "python calls.py")
            assert done.returncode == 0, done.stdout + done.stderr
    assert said.count("Output = 10\n") == 2
    assert "train.py and sums.yaml mean the same" in said
    assert "sums.yaml is valid" in said


@pytest.mark.timeout(300)
def test_writing_pipelines(platform: Platform, tmp_path: Path):
    found = BLOCK.findall((GUIDES / "pipelines.md").read_text())
    text = "\n\n".join(text for language, text in found if language == "python")
    # scikit-learn is for people; here the flowers are made up, so that nothing is downloaded
    text = text.replace('(packages_to_install=["scikit-learn==1.5.2"])', "")
    text = text.replace("from sklearn.datasets import load_iris\n", "import random\n")
    text = text.replace("    from sklearn.model_selection import train_test_split\n", "")
    text = text.replace(
        "train_test_split(load_iris().data, test_size=share, random_state=1)",
        "[[[random.random()] for _ in range(10)] for _ in range(2)]",
    )
    assert "sklearn" not in text
    (tmp_path / "pipelines.py").write_text(text)
    (script,) = (text for language, text in found if language == "sh")
    done = shell(platform, tmp_path, script.replace("one_model -p", "one_model --no-cache -p"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Output = 0.8" in done.stdout
    many = shell(platform, tmp_path, "headrace run pipelines.py:many_models -p 'rates=[0.5, 0.01]'")
    assert many.returncode == 0, many.stdout + many.stderr
    assert "Output = model 1 is released" in many.stdout

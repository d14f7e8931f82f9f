"""An unmodified `kfp.Client` drives the platform: each scenario of kfp_client_driver.py is one test, in each topology.

Aspects: runs (from packages, functions, uploaded versions; ending, failing, terminated, archived, deleted), the catalogue
(pipelines, versions, experiments), lists (paging, order, EQUALS), and the errors that clients parse.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from fixtures.fix_kfp_peer import peer_environment
from fixtures.platforms import Platform, log_tails

DRIVER = Path(__file__).with_name("kfp_client_driver.py")
SCENARIOS = re.findall(r"^def scenario_(\w+)\(", DRIVER.read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_official_client(platform: Platform, kfp_python: Path, tmp_path: Path, scenario: str) -> None:
    done = subprocess.run(
        [str(kfp_python), str(DRIVER), platform.url, scenario],
        cwd=tmp_path,
        env=peer_environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6000:]}\n{log_tails(platform.home)}"

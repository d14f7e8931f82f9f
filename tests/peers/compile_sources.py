"""A program for either SDK: compiles every FOLDER/*.py (each has a pipeline `flow`), prints {file: package or refusal} as JSON.

    compile_sources.py MODULE FOLDER

A package is the text of the YAML; a refusal is the exception's class and first line.
"""

import importlib
import importlib.util
import json
import sys
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
module, folder = sys.argv[1], Path(sys.argv[2])
compiler = importlib.import_module(f"{module}.compiler")


def compiled(path: Path) -> dict[str, str]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    try:
        spec.loader.exec_module(loaded)
        with tempfile.TemporaryDirectory() as made:
            target = Path(made) / "flow.yaml"
            compiler.Compiler().compile(loaded.flow, str(target))
            return {"package": target.read_text()}
    except Exception as refused:  # noqa: BLE001 - whatever an SDK says is its answer
        return {"refused": f"{type(refused).__name__}: {str(refused).splitlines()[:1]}"}


json.dump({path.name: compiled(path) for path in sorted(folder.glob("*.py"))}, sys.stdout)

"""Makes a `PipelineJob` of each compiled pipeline, which checks all that it checks before it submits.

`vertex_peer.py ASKED.json OUT.json`: asked for each name is `{"file", "values"}`, the answer is what the job would send, or
`{"error"}`. Runs in .venv-vertex, without a network and without credentials. Nothing here imports Headrace.
"""

import json
import sys
from pathlib import Path

from google.auth import credentials  # type: ignore[import-not-found,unused-ignore]  # there only in the peer environment
from google.cloud import aiplatform  # type: ignore[import-not-found,unused-ignore]
from google.protobuf import json_format


def made(file: str, values: dict) -> dict:  # type: ignore[type-arg,unused-ignore]
    job = aiplatform.PipelineJob(
        display_name="headrace",
        template_path=file,
        pipeline_root="gs://bucket/root",
        parameter_values=values,
        enable_caching=False,
        project="project",
        location="us-central1",
        credentials=credentials.AnonymousCredentials(),
        labels={"made-by": "headrace"},
        failure_policy="fast",
    )
    return {"job_id": job.job_id, **json_format.MessageToDict(job._gca_resource._pb)}


def main() -> None:
    answers = {}
    for name, asked in json.loads(Path(sys.argv[1]).read_text()).items():
        try:
            answers[name] = made(asked["file"], asked["values"])
        except Exception as error:  # noqa: BLE001  # it is what the test shows
            answers[name] = {"error": f"{type(error).__name__}: {error}"}
    Path(sys.argv[2]).write_text(json.dumps(answers))


main()

"""What the official `kfp.Client` does where the platform asks for a token: `python kfp_token_driver.py URL TOKEN_FILE`.

A program of its own, run in the peer's environment by test_kfp_tokens.py.
"""

import sys
from pathlib import Path

import kfp
import kfp_server_api
from kfp import dsl
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials


@dsl.component(base_image="python:3.11")
def double(number: int) -> int:
    return number * 2


@dsl.pipeline(name="doubling")
def doubling(number: int = 21) -> int:
    return double(number=number).output


def refused(client: kfp.Client) -> int:
    try:
        client.list_experiments()
    except kfp_server_api.ApiException as error:
        return error.status
    raise AssertionError("was let in")


def main(url: str, file: str) -> None:
    token = Path(file).read_text()
    assert refused(kfp.Client(host=url)) == 401
    assert refused(kfp.Client(host=url, existing_token=token[:-8] + "AAAAAAAA")) == 401
    by_file = ServiceAccountTokenVolumeCredentials(path=file)
    for client in (kfp.Client(host=url, existing_token=token), kfp.Client(host=url, credentials=by_file)):
        run = client.create_run_from_pipeline_func(doubling, arguments={"number": 4}, enable_caching=False)
        ended = client.wait_for_run_completion(run.run_id, timeout=90, sleep_duration=1)
        assert ended.state == "SUCCEEDED", ended
    kfp.compiler.Compiler().compile(doubling, "doubling.yaml")
    uploaded = client.upload_pipeline("doubling.yaml", pipeline_name="with a token")
    assert client.get_pipeline(uploaded.pipeline_id).display_name == "with a token"


if __name__ == "__main__":
    main(*sys.argv[1:])

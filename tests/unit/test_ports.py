"""The ports that tests give to servers: no two workers choose the same, none comes again soon, and no taken one is given."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fixtures.fix_s3 import sockets
from fixtures.ports import PORTS, Ports


def of_worker(name: str) -> Ports:
    return Ports({"PYTEST_XDIST_WORKER": name, "PYTEST_XDIST_WORKER_COUNT": "4"})


def test_no_two_workers_are_given_the_same_port() -> None:
    given = [set(of_worker(f"gw{number}").free(500)) for number in range(4)]
    assert len(set.union(*given)) == 2000


def test_a_port_comes_again_only_after_all_others() -> None:
    ports = of_worker("gw0")
    assert len({port for _ in range(100) for port in ports.free(10)}) == 1000


def test_what_listens_is_not_given() -> None:
    ports = Ports({})
    with socket.socket() as server:
        taken, other = ports.free(2)
        server.bind(("127.0.0.1", taken))
        assert ports.free(1, without=set(PORTS) - {taken, other}) == [other]


def test_what_is_named_is_not_given() -> None:
    allowed = set(range(18_000, 18_050))
    assert set(Ports({}).free(10, without=set(PORTS) - allowed)) < allowed


def test_too_few_free_ports_are_an_error() -> None:
    with pytest.raises(AssertionError, match="only 0 of 2 ports are free in 18000 to 29999"):
        Ports({}).free(2, without=PORTS)


def test_the_sockets_of_servers_that_are_gone_are_found(tmp_path: Path) -> None:
    for name in (
        "seaweedfs-master-grpc-20001.sock",
        "seaweedfs-filer-20002.sock",
        "other-20003.sock",
        "seaweedfs-x.sock",
    ):
        (tmp_path / name).touch()
    assert {port: [path.name for path in paths] for port, paths in sockets(tmp_path).items()} == {
        20001: ["seaweedfs-master-grpc-20001.sock"],
        20002: ["seaweedfs-filer-20002.sock"],
    }

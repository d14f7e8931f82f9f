"""Settings from the environment: types, defaults, messages; where sockets lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from headrace_servicekit import settings
from headrace_servicekit.settings import Settings, SettingsError, load, private_folder, sockets_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    size: int
    ratio: float = 0.5
    on: bool = False
    where: Path = Path("/x")
    name: str | None = None
    mode: Literal["a", "b"] = "a"
    api_token: int = 0


def test_every_type_is_read():
    environ = {"SIZE": "3", "RATIO": "1e-3", "ON": "Yes", "WHERE": "/y", "NAME": "n", "MODE": "B"}
    read = load(Example, {f"HEADRACE_{name}": value for name, value in environ.items()})
    assert read == Example(size=3, ratio=0.001, on=True, where=Path("/y"), name="n", mode="b")


def test_an_empty_variable_is_not_set():
    assert load(Example, {"HEADRACE_SIZE": "1", "HEADRACE_NAME": "", "HEADRACE_ON": ""}) == Example(size=1)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SIZE", "three", "HEADRACE_SIZE is 'three'; expected a whole number"),
        ("RATIO", "half", "HEADRACE_RATIO is 'half'; expected a number"),
        ("ON", "maybe", "HEADRACE_ON is 'maybe'; expected true or false"),
        ("MODE", "c", "HEADRACE_MODE is 'c'; expected one of a, b"),
        ("API_TOKEN", "hunter2", "HEADRACE_API_TOKEN is (hidden); expected a whole number"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(variable, value, message):
    with pytest.raises(SettingsError) as caught:
        load(Example, {"HEADRACE_SIZE": "1", f"HEADRACE_{variable}": value})
    assert str(caught.value) == message


def test_all_problems_are_told_at_once():
    with pytest.raises(SettingsError, match="HEADRACE_SIZE is not set; expected a whole number; HEADRACE_RATIO is 'x'"):
        load(Example, {"HEADRACE_RATIO": "x"})


def test_the_platforms_defaults():
    read = load(Settings, {"HOME": "/u"})
    assert read.home == Path("~/.local/share/headrace").expanduser()
    assert (read.http_address, read.grpc_address, read.executor) == ("127.0.0.1:8888", "127.0.0.1:8887", "process")
    assert read.address_of("cache") == f"unix:{sockets_folder(read.home)}/cache.sock"
    assert load(Settings, {"HEADRACE_CACHE_ADDRESS": "127.0.0.1:8893"}).address_of("cache") == "127.0.0.1:8893"


def test_a_short_home_holds_its_sockets():
    assert sockets_folder(Path("/home/u/.local/share/headrace")) == Path("/home/u/.local/share/headrace/sockets")


def test_a_long_home_has_its_sockets_elsewhere(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    one, other = (sockets_folder(Path("/") / ("x" * 90) / name) for name in ("a" * 50, "b" * 50))
    assert one != other
    assert max(len(str(folder)) for folder in (one, other)) <= settings.LONGEST_SOCKETS_FOLDER


def test_a_private_folder_is_closed_to_others(tmp_path):
    folder = private_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert private_folder(folder).stat().st_mode & 0o777 == 0o700


def test_a_link_is_not_a_private_folder(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(SettingsError, match=r"link belongs to another user; remove it, or set HEADRACE_HOME"):
        private_folder(tmp_path / "link")

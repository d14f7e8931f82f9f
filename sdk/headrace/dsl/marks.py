"""Channels inside of texts, lists and dicts: the mark that stands for one there, and finding the channel again. Pure.

A channel in an f-string becomes a text such as `{{channel:6f2a90c1:3}}`: the pipeline it is of and its number there. The compiler
puts the IR's placeholder in its place. Written by channels, read by the checks of a call and by the compiler.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from headrace.dsl.mistakes import mistake

if TYPE_CHECKING:
    from headrace.dsl.channels import Channel

MARK: Final = re.compile(r"\{\{channel:([0-9a-f]{8}):(\d+)\}\}")
BROKEN: Final = re.compile(r"\{\{channel:", re.IGNORECASE)

# A mark is text: whoever meets one later has nothing else to find its pipeline by. Weak, so that pipelines can be dropped.
_registers: Final[WeakValueDictionary[str, Marks]] = WeakValueDictionary()


class Marks:
    """The channels of one pipeline that stand in texts. Each channel has its pipeline's, which tells pipelines apart."""

    __slots__ = ("__weakref__", "_channels", "_marks", "_token")

    def __init__(self) -> None:
        self._token = secrets.token_hex(4)
        self._marks: dict[Channel, str] = {}
        self._channels: list[Channel] = []
        _registers[self._token] = self

    def of(self, channel: Channel) -> str:
        """The mark of CHANNEL; the same one each time."""
        mark = self._marks.get(channel)
        if mark is None:
            mark = self._marks[channel] = f"{{{{channel:{self._token}:{len(self._channels)}}}}}"
            self._channels.append(channel)
        return mark

    def channel(self, number: int) -> Channel:
        """The channel with that number."""
        return self._channels[number]


def marks_in(value: Any) -> dict[str, Channel]:
    """The channels in VALUE, marked in its texts or as they are, at any depth, keys too; by mark, in the order met."""
    found: dict[str, Channel] = {}
    _find(value, found)
    return found


def filled(value: Any, texts: Mapping[str, str]) -> Any:
    """VALUE with each mark in it, and each channel, replaced by its text of TEXTS."""
    if isinstance(value, str):
        return MARK.sub(lambda match: texts.get(match[0], match[0]), value) if "{{channel:" in value else value
    if isinstance(value, list):
        return [filled(each, texts) for each in value]
    if isinstance(value, dict):
        return {filled(key, texts): filled(each, texts) for key, each in value.items()}
    return filled(str(value), texts) if _is_channel(value) else value


def _is_channel(value: Any) -> bool:
    return type(value).__module__ == "headrace.dsl.channels"


def _find(value: Any, found: dict[str, Channel]) -> None:
    if isinstance(value, str):
        if "{{" in value:
            _find_in_text(value, found)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _find(each, found)
    elif isinstance(value, dict):
        for key, each in value.items():
            _find(key, found)
            _find(each, found)
    elif _is_channel(value):
        found.setdefault(str(value), value)


def _find_in_text(text: str, found: dict[str, Channel]) -> None:
    for match in MARK.finditer(text):
        register = _registers.get(match[1])
        if register is None:
            raise mistake(
                "A text holds a value of a pipeline that is gone; make the text inside of the pipeline that uses it."
            )
        found.setdefault(match[0], register.channel(int(match[2])))
    if BROKEN.search(MARK.sub("", text)):
        raise mistake(
            "A text that holds a value of the running pipeline was cut or changed, so the value cannot be filled in; "
            "change such texts inside of a component."
        )

"""The settings of a task as the platform document has them: channels spelled as references. Pure; called by the compiler.

Only the compiler knows how a channel is called in the DAG that the task is in; only this module knows which fields besides the
parameter spec repeat it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.dsl.channels import Channel

Json = dict[str, Any]


def channels(config: Any) -> list[Channel]:
    """Every channel in what a task's `platform_config` holds, in its order."""
    if isinstance(config, Channel):
        return [config]
    inner = config.values() if isinstance(config, dict) else config if isinstance(config, (list, tuple)) else ()
    return [channel for value in inner for channel in channels(value)]


def spelled(config: Any, reference: Callable[[Channel], Json]) -> Any:
    """CONFIG with REFERENCE's answer for each channel: an InputParameterSpec, `{"componentInputParameter": …}` or
    `{"taskOutputParameter": …}`. The name of a mounted claim is repeated in the entry itself, where KFP's older releases read it.
    """
    if isinstance(config, Channel):
        return reference(config)
    if isinstance(config, (list, tuple)):
        return [spelled(value, reference) for value in config]
    if not isinstance(config, dict):
        return config
    made = {name: spelled(value, reference) for name, value in config.items()}
    if isinstance(config.get("pvcNameParameter"), Channel):
        made = {**made["pvcNameParameter"], **made}
    return made

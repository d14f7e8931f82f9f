"""What container runtimes say when an image cannot be pulled, in people's words; is it the task's own mistake? Pure."""

from __future__ import annotations

import re
from typing import Final

SHOWN: Final = 300
PULLING: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
PLUMBING: Final = re.compile(r'^(Back-off pulling image "[^"]*": )?(ErrImagePull: )?(rpc error: code = \w+ desc = )?')
PROBLEMS: Final = (
    (
        re.compile(r"no match for platform|no matching manifest|does not match the specified platform"),
        "it has no variant for the node's kind of processor", True,
    ),
    (
        re.compile(r"toomanyrequests|429 Too Many Requests|rate limit"),
        "its registry allows no more pulls for now: give an image pull secret, or wait", False,
    ),
    (
        re.compile(r"access denied|insufficient_scope|401 Unauthorized|403 Forbidden|authorization failed|unauthorized|denied:"),
        "it does not exist, or its registry asks for credentials: look at its name, or give an image pull secret", True,
    ),
    (
        re.compile(r"not found|manifest unknown|name unknown|NAME_UNKNOWN|MANIFEST_UNKNOWN|repository does not exist|404"),
        "it is not in its registry: look at its name and tag", True,
    ),
    (re.compile(r"no such host|server misbehaving"), "the name of its registry is not known", False),
    (
        re.compile(r"x509:|certificate|server gave HTTP response to HTTPS client"),
        "the node does not trust its registry's certificate", False,
    ),
    (
        re.compile(r"i/o timeout|connection refused|deadline exceeded|connection reset|TLS handshake timeout|50[0234] "),
        "its registry does not answer", False,
    ),
    (re.compile(r"no space left on device"), "the node's disk is full", False),
)  # fmt: skip


def pull_problem(reason: str, said: str) -> tuple[str, bool]:
    """Why, and whether the task names an image that cannot be had."""
    detail = " ".join(PLUMBING.sub("", said).split())[:SHOWN]
    if reason == "InvalidImageName":
        return "that is no name of an image", True
    if reason == "ErrImageNeverPull":
        return "it is not on the node, and the image pull policy is Never", True
    for pattern, words, theirs in PROBLEMS:
        if pattern.search(said):
            return (words if theirs else f"{words} ({detail})"), theirs
    return detail or "no reason is given", False

"""Handing pip's settings to uv, so that an environment comes from the same index as `pip install` would use. Pure but for
reading pip's configuration files.

pip's precedence holds: files (global, user, `PIP_CONFIG_FILE`), then `PIP_*` variables, then the component's own
options; variables that the user set for uv itself win over all. Everything goes by environment variables, because an
index URL may hold a password and an argv is public. Called by environments.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headrace_companion.lightweight import PipInstall

KEYS: Final = (
    "index-url",
    "extra-index-url",
    "find-links",
    "trusted-host",
    "no-index",
    "cert",
    "client-cert",
    "proxy",
    "timeout",
    "default-timeout",
    "pre",
)
SECTIONS: Final = ("global", "install")
TRUE: Final = frozenset({"1", "true", "yes", "on", "y", "t"})


def config_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its configuration, weakest first."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    given = environ.get("PIP_CONFIG_FILE", "")
    if given == os.devnull:
        return []
    shared = [
        Path(folder, "pip/pip.conf") for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder
    ]
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    user = [home / ".pip/pip.conf", home / "Library/Application Support/pip/pip.conf", config_home / "pip/pip.conf"]
    return [*shared, Path("/etc/pip.conf"), *user, *([Path(given)] if given else [])]


def pip_settings(environ: Mapping[str, str], files: list[Path]) -> dict[str, str]:
    """The settings that matter for installing, by pip's option names."""
    settings: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip itself says what is wrong with it; an unreadable file sets nothing
        for section in SECTIONS:
            if parser.has_section(section):
                found = {key.replace("_", "-"): value for key, value in parser.items(section)}
                settings.update({key: found[key] for key in KEYS if key in found})
    for key in KEYS:
        value = environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            settings[key] = value
    return settings


def uv_variables(settings: Mapping[str, str], install: PipInstall, environ: Mapping[str, str]) -> dict[str, str]:
    """What uv has to find in its environment for one install."""
    index = install.index_url or settings.get("index-url", "")
    extra = list(install.extra_index_urls) if install.index_url else settings.get("extra-index-url", "").split()
    trusted = [host_of(host) for host in (*settings.get("trusted-host", "").split(), *install.trusted_hosts)]
    links = [link for link in settings.get("find-links", "").split() if "://" in link or Path(link).exists()]
    timeout = settings.get("timeout") or settings.get("default-timeout", "")
    wanted = {
        "UV_DEFAULT_INDEX": index,
        "UV_INDEX": " ".join(extra),
        "UV_INSECURE_HOST": " ".join(trusted),
        "UV_FIND_LINKS": ",".join(links),
        "UV_NO_INDEX": "1" if settings.get("no-index", "").lower() in TRUE and not install.index_url else "",
        "UV_PRERELEASE": "allow" if settings.get("pre", "").lower() in TRUE else "",
        "UV_HTTP_TIMEOUT": timeout.partition(".")[0],
        "SSL_CERT_FILE": settings.get("cert", ""),
        "SSL_CLIENT_CERT": settings.get("client-cert", ""),
        "HTTP_PROXY": settings.get("proxy", ""),
        "HTTPS_PROXY": settings.get("proxy", ""),
        # pip looks for the best version on every index; uv would stop at the first that has the name.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_PROGRESS": "1",
        "UV_NO_CONFIG": "1",
    }
    return {name: value for name, value in wanted.items() if value and not environ.get(name)}


def host_of(host: str) -> str:
    """A trusted host as uv wants it; KFP's SDK writes whole index URLs there."""
    return host.partition("://")[2].partition("/")[0].rpartition("@")[2] if "://" in host else host

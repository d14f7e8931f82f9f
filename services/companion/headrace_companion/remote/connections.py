"""Connections of the remote sources: one pool for each proxy, verified against the system's certificates or the named file's."""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from urllib3.util import make_headers

from headrace_companion.remote.sources import Ambient

POOLS: Final = 32  # hosts
KEPT: Final = 128  # connections to one host
CERTIFICATES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")


def manager(url: str, ambient: Ambient, silence_s: float) -> urllib3.PoolManager:
    """The pool for a URL, through a proxy where the environment names one. Tries and redirects are counted by its users."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme, "")
    if proxy and proxy_bypass(parts.netloc.rpartition("@")[2]):
        proxy = ""
    return _pool(proxy, ambient.first(*CERTIFICATES), silence_s)


@lru_cache(maxsize=8)
def _pool(proxy: str, certificates: str, silence_s: float) -> urllib3.PoolManager:
    known = certificates or (None if ssl.get_default_verify_paths().cafile else certifi.where())
    timeout = urllib3.Timeout(connect=silence_s, read=silence_s)
    patience = urllib3.Retry(0, raise_on_redirect=False)
    if not proxy:
        return urllib3.PoolManager(POOLS, maxsize=KEPT, ca_certs=known, timeout=timeout, retries=patience)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login = f"{parts.username}:{parts.password or ''}" if parts.username else None
    return urllib3.ProxyManager(
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
        POOLS,
        proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
        maxsize=KEPT,
        ca_certs=known,
        timeout=timeout,
        retries=patience,
    )

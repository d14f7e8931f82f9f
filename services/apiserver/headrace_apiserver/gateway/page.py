"""GET /: one plain page that lists runs and shows what the links that kfp.Client prints lead to.

No build step, no outside resource; the script reads the REST API and sets text nodes only, so nothing a user named can become
markup. The whole web UI replaces it later. Called by gateway.app.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Final

from aiohttp import web

_HTML: Final = (resources.files("headrace_apiserver.gateway") / "page.html").read_text(encoding="utf-8")


def content_security_policy(html: str) -> str:
    """Only the page's own inline script and style, by their hashes; data from this server alone."""
    script = _hash(html, "script")
    style = _hash(html, "style")
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(html: str, element: str) -> str:
    content = html.partition(f"<{element}>")[2].partition(f"</{element}>")[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


async def page(request: web.Request) -> web.Response:
    """The route."""
    headers = {"Content-Security-Policy": content_security_policy(_HTML), "Cache-Control": "no-store"}
    return web.Response(text=_HTML, content_type="text/html", headers=headers)

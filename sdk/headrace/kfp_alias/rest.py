"""HTTP calls of KFP's v2beta1 for the answers to `kfp.Client`: the standard library alone, as a task's container has it.

Called by client.py. A failed call is an ApiException, with the attributes that scripts look at.
"""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from headrace.errors import HeadraceError, PlatformUnreachable
from headrace.finding import checked, home_folder, is_local, platform_up

API: Final = "/apis/v2beta1"
DEADLINE: Final = 60.0  # seconds for one call
IN_A_HEADER: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # as browsers write a form's file names


class ApiException(HeadraceError):  # noqa: N818  # the name is KFP's
    """A call that the platform refused: `status` is HTTP's, `body` what it said. `kfp_server_api.ApiException` is this."""

    def __init__(self, status: int = 0, reason: str = "", body: str = "") -> None:
        super().__init__(_message(body) or f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.body = body
        self.headers: dict[str, str] = {}


def _message(body: str) -> str:
    try:
        told = json.loads(body)
    except ValueError:
        return body
    if not isinstance(told, dict):
        return body
    details = [one.get("message") for one in told.get("details", []) if isinstance(one, dict)]
    return str(next(filter(None, details), None) or told.get("message") or told.get("error_message") or "")


class Rest:
    """One platform at HOST; without one the settings', or the platform that is up on this machine."""

    def __init__(
        self,
        host: str | None,
        headers: Callable[[], Mapping[str, str]],
        proxy: str | None,
        context: ssl.SSLContext | None,
    ) -> None:
        self.host = _place(host)
        self._headers = headers
        handlers: list[urllib.request.BaseHandler] = []
        if proxy:
            handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
        elif is_local(urllib.parse.urlsplit(self.host).netloc):
            handlers.append(
                urllib.request.ProxyHandler({})
            )  # the environment's is not for this machine's own addresses
        if context is not None:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer to GET; a query's None and "" are left out."""
        return self._call("GET", path, query, None, "")

    def delete(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer to DELETE."""
        return self._call("DELETE", path, query, None, "")

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The answer to POST; None and "" in the body are left out."""
        told = {name: value for name, value in (body or {}).items() if value not in (None, "")}
        return self._call("POST", path, {}, json.dumps(told).encode(), "application/json")

    def upload(self, path: str, data: bytes, filename: str, **query: Any) -> dict[str, Any]:
        """The answer to an upload of DATA as the file FILENAME."""
        border = uuid.uuid4().hex
        named = filename.translate(IN_A_HEADER)
        head = (
            f'--{border}\r\nContent-Disposition: form-data; name="uploadfile"; filename="{named}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + data + f"\r\n--{border}--\r\n".encode()
        return self._call("POST", path, query, body, f"multipart/form-data; boundary={border}")

    def _call(self, method: str, path: str, query: Mapping[str, Any], body: bytes | None, kind: str) -> dict[str, Any]:
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value not in (None, "")})
        url = f"{self.host}{API}{path}{'?' if asked else ''}{asked}"
        headers = {**self._headers(), **({"Content-Type": kind} if kind else {})}
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310  # `checked`: http or https
        try:
            with self._opener.open(request, timeout=DEADLINE) as answer:
                told = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as refused:
            raise ApiException(refused.code, refused.reason, refused.read().decode(errors="replace")) from None
        except (OSError, ValueError) as failed:
            why = getattr(failed, "reason", failed)
            raise PlatformUnreachable(f"no platform answers at {self.host}: {why}") from None
        return told if isinstance(told, dict) else {}


def _place(host: str | None) -> str:
    named = host or os.environ.get("KF_PIPELINES_ENDPOINT") or os.environ.get("HEADRACE_ENDPOINT")
    if named:
        return checked(named)
    up = platform_up(home_folder())
    if up is None:
        raise PlatformUnreachable(
            "no platform is up on this machine; start one with `headrace up`, or name one: kfp.Client(host=...)"
        )
    return up.http

"""How services that run as processes on the host meet each other and the Pods of the real cluster: tokens from its API server.

`meeting_of(kube, namespace, folder)` → what `fixtures.platforms.running_networked` takes; the services listen on the bridge,
where Pods reach them. `token_of` asks for any other token, as a test needs one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.bringup.places import API_SERVER, DIR, GATEWAY
from fixtures.issuing import CONTROL_ACCOUNTS, INTERNAL, SERVICES, Meeting

JWKS = f"{API_SERVER}/openid/v1/jwks"
HOURS = 7200  # seconds that the tokens of one test's services live


def meeting_of(kube: Any, namespace: str, folder: Path) -> Meeting:
    """The services' accounts are made in NAMESPACE, which is the installation's; their tokens are written into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name in SERVICES:
        account(kube, f"headrace-{name}", namespace)
        files[name] = folder / name
        files[name].write_text(token_of(kube, f"headrace-{name}", namespace, INTERNAL))
    (folder / "api-server").write_text(token_of(kube, "headrace-apiserver", namespace, None))
    settings = {
        "HEADRACE_TOKEN_FILE": str(files["apiserver"]),
        "HEADRACE_JWKS_URL": JWKS,
        "HEADRACE_JWKS_CA_FILE": str(DIR / "pki/ca.crt"),
        "HEADRACE_JWKS_TOKEN_FILE": str(folder / "api-server"),
        "HEADRACE_CONTROL_ACCOUNTS": CONTROL_ACCOUNTS,
    }
    return Meeting(settings, files, GATEWAY)


def account(kube: Any, name: str, namespace: str) -> None:
    metadata = {"name": name, "namespace": namespace}
    kube.ensure({"kind": "ServiceAccount", "apiVersion": "v1", "metadata": metadata})


def token_of(
    kube: Any,
    name: str,
    namespace: str,
    audience: str | None,
    *,
    pod: tuple[str, str] | None = None,
    lives: int = HOURS,
) -> str:
    """A token of the account, as the kubelet asks for it, bound to POD (name, uid) or to none. No AUDIENCE: the API server."""
    spec: dict[str, Any] = {"expirationSeconds": lives}
    if audience is not None:
        spec["audiences"] = [audience]
    if pod is not None:
        spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod[0], "uid": pod[1]}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return str(kube.request("POST", path, asked)["status"]["token"])

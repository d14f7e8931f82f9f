"""Makes the Secrets headrace-database and headrace-store, where they are not there yet, with random passwords.

Runs as the Job of the same name, whose account may create Secrets and nothing else: it cannot read what it did not make.
Deleting a Secret does not change the password of a database that was set up with it; see docs/guides/kubernetes.md.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DATABASE, USER = "headrace", "headrace"


def wanted(password: str, key: str, secret_key: str, host: str) -> Mapping[str, Mapping[str, str]]:
    """Each Secret's name and what it holds."""
    url = f"postgresql://{USER}:{password}@{host}:5432/{DATABASE}"
    return {
        "headrace-database": {"user": USER, "database": DATABASE, "password": password, "url": url},
        "headrace-store": {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret_key},
    }


def create(name: str, values: Mapping[str, str], namespace: str) -> int:
    """The status that the API server answers with."""
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    connection = http.client.HTTPSConnection(host, port, timeout=30, context=context)
    labels = {"app.kubernetes.io/part-of": "headrace"}
    made = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "stringData": dict(values),
    }
    token = (ACCOUNT / "token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", f"/api/v1/namespaces/{namespace}/secrets", json.dumps(made), headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.status


def main() -> int:
    """0 where both Secrets are there."""
    namespace = (ACCOUNT / "namespace").read_text().strip()
    made = wanted(*(secrets.token_hex(size) for size in (24, 10, 24)), host="headrace-postgres")
    for name, values in made.items():
        status = create(name, values, namespace)
        if status not in (http.client.CREATED, http.client.CONFLICT):
            sys.stderr.write(f"the Secret {name} cannot be made: the API server answers {status}\n")
            return 1
        sys.stderr.write(f"the Secret {name} {'is made' if status == http.client.CREATED else 'is there already'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

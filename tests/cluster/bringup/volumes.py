"""A provisioner of volumes for the default storage class: a folder for each claim, on every node of this machine.

Run as a program by `up` (`python -m cluster.bringup.volumes`). The volumes are of the kind `local`, so that a Pod's
fsGroup is honoured and a user who is not root can write.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from cluster.bringup.hardware import NODES
from cluster.bringup.kube import Kube, KubeError, Object
from cluster.bringup.places import DIR

NAME = "headrace.test/folders"
SELECTED = "volume.kubernetes.io/selected-node"
CLASSES = [
    {
        "kind": "StorageClass",
        "apiVersion": "storage.k8s.io/v1",
        "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}},
        "provisioner": NAME,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": mode,
    }
    for name, default, mode in (("standard", "true", "WaitForFirstConsumer"), ("immediate", "false", "Immediate"))
]


def install(kube: Kube) -> None:
    for one in CLASSES:
        kube.ensure(one)


def work(kube: Kube) -> None:
    """Looks at every claim and volume whenever one of them changed."""
    classes = {one["metadata"]["name"]: one["volumeBindingMode"] for one in CLASSES}
    while True:
        listing = kube.request("GET", "/api/v1/persistentvolumeclaims")
        for claim in listing["items"]:
            provision(kube, claim, classes)
        reclaim(kube)
        # A released volume is seen at the latest when the watch ends.
        for event in kube.watch("PersistentVolumeClaim", None, listing["metadata"]["resourceVersion"], 5):
            if event["type"] == "ERROR":
                break
            if event["type"] == "DELETED":
                reclaim(kube)
            else:
                provision(kube, event["object"], classes)


def provision(kube: Kube, claim: Object, classes: dict[str, str]) -> None:
    mode = classes.get(claim["spec"].get("storageClassName", ""))
    selected = claim["metadata"].get("annotations", {}).get(SELECTED)
    ready = mode == "Immediate" or (mode == "WaitForFirstConsumer" and selected)
    if claim["status"]["phase"] != "Pending" or not ready or "deletionTimestamp" in claim["metadata"]:
        return
    name = f"pvc-{claim['metadata']['uid']}"
    folder = DIR / "volumes" / name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    try:
        kube.create(_volume(name, folder, claim))
    except KubeError as error:
        if error.status != 409:
            raise


def reclaim(kube: Kube) -> None:
    for volume in kube.list("PersistentVolume"):
        owned = volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by") == NAME
        if owned and volume["status"].get("phase") == "Released":
            kube.delete("PersistentVolume", volume["metadata"]["name"])
            shutil.rmtree(DIR / "volumes" / volume["metadata"]["name"], ignore_errors=True)


def _volume(name: str, folder: Path, claim: Object) -> Object:
    metadata = claim["metadata"]
    return {
        "kind": "PersistentVolume",
        "apiVersion": "v1",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": NAME}},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "storageClassName": claim["spec"]["storageClassName"],
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "local": {"path": str(folder)},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": list(NODES)}
                            ]
                        }
                    ]
                }
            },
        },
    }


def serve() -> None:
    while True:
        try:
            work(Kube())
        except (OSError, KubeError) as error:  # the API server starts again: so do we
            print(f"again: {error}", flush=True)
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(serve())

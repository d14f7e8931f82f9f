"""`CreatePVC` and `DeletePVC`: components that make and delete a PersistentVolumeClaim.

Their images are names that every backend takes as operations of its own; no container runs. Names, types and defaults are KFP's.
"""

# mypy: disable-error-code="untyped-decorator,valid-type"
# The decorator reads these annotations as the author wrote them: they are not postponed.

from typing import Dict, List, Optional  # noqa: UP035

from headrace import dsl


@dsl.container_component
def CreatePVC(  # noqa: N802
    name: dsl.OutputPath(str),
    access_modes: List[str],  # noqa: UP006
    size: str,
    pvc_name: Optional[str] = None,  # noqa: UP045
    pvc_name_suffix: Optional[str] = None,  # noqa: UP045
    storage_class_name: Optional[str] = "",  # noqa: UP045
    volume_name: Optional[str] = None,  # noqa: UP045
    annotations: Optional[Dict[str, str]] = None,  # noqa: UP006, UP045
    data_source: Optional[Dict[str, str]] = None,  # noqa: UP006, UP045
) -> dsl.ContainerSpec:
    """Make a claim for storage that later tasks mount with `mount_pvc`.

    Args:
        access_modes: ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod; at least one.
        size: How much storage, such as `5Gi`.
        pvc_name: The claim's name. Not together with `pvc_name_suffix`.
        pvc_name_suffix: What follows the run's name in the claim's name.
        storage_class_name: None: the cluster's default class. Empty: none, for a volume that exists already.
        volume_name: The volume that is claimed, where it exists already.
        annotations: Annotations of the claim.
        data_source: What the volume is filled from: `apiGroup`, `kind` and `name` of a snapshot or a claim.

    """
    return dsl.ContainerSpec(image="argostub/createpvc")


@dsl.container_component
def DeletePVC(pvc_name: str) -> dsl.ContainerSpec:  # noqa: N802
    """Delete a claim and, where its class says so, the storage behind it.

    Args:
        pvc_name: The claim's name, such as what `CreatePVC` put out as `name`.
    """
    return dsl.ContainerSpec(image="argostub/deletepvc")

"""Which of our modules answer for which of KFP's. Data; read by finding.py.

A test looks every name up, and every public name of the official SDK where that is installed beside.
"""

from __future__ import annotations

from typing import Final

KFP_VERSION: Final = "2.17.3"  # whose surface we have

Single = dict[str, str]  # a name → `module:attribute` of ours, or a module
Answers = tuple[tuple[str, ...], Single]  # modules of ours whose public names it has, and single names

_DSL: Final = ("headrace.dsl",)
_COMPONENTS: Final = "headrace.dsl.components"
_LOADED: Final[Single] = {
    "BaseComponent": f"{_COMPONENTS}:Component",
    "PythonComponent": f"{_COMPONENTS}:PythonComponent",
    "ContainerComponent": f"{_COMPONENTS}:ContainerComponent",
    "GraphComponent": "headrace.dsl.pipelines:GraphComponent",
    "YamlComponent": f"{_COMPONENTS}:YamlComponent",
}
_CHANNELS: Final[Single] = {
    "PipelineChannel": "headrace.dsl.channels:Channel",
    "PipelineParameterChannel": "headrace.dsl.channels:ParameterChannel",
    "PipelineArtifactChannel": "headrace.dsl.channels:ArtifactChannel",
}
_MARKS: Final[Single] = {  # what google_cloud_pipeline_components asks for
    "Placeholder": "headrace.dsl.placeholders:Placeholder",
    "InputValuePlaceholder": "headrace.dsl.placeholders:InputMark",
}
_TYPES: Final = "kfp.dsl.types"
_CLIENT: Final[Single] = {
    "Client": "headrace.kfp_alias.client:Client",
    "RunPipelineResult": "headrace.kfp_alias.client:RunPipelineResult",
}

# The client's generated models, of which scripts catch the exceptions.
_REFUSED: Final[Single] = {"ApiException": "headrace.kfp_alias.rest:ApiException"}

MODULES: Final[dict[str, Answers]] = {
    "kfp": (
        (),
        {
            "__version__": "headrace.kfp_alias.names:KFP_VERSION",
            "TYPE_CHECK": "headrace.kfp_alias.names:TYPE_CHECK",
            "Client": "headrace.kfp_alias.client:Client",
        },
    ),
    "kfp.client": ((), _CLIENT),
    "kfp.client.client": ((), _CLIENT),
    "kfp.compiler": (("headrace.compiler",), {}),
    "kfp.compiler.compiler": (("headrace.compiler",), {}),
    "kfp.compiler.compiler_utils": (("headrace.compiler",), {}),
    "kfp.components": (("headrace.components",), _LOADED),
    "kfp.components.load_yaml_utilities": (("headrace.components",), {}),
    "kfp.components.placeholders": (_DSL, _MARKS),
    "kfp.components.base_component": (_DSL, _LOADED),
    "kfp.dsl": (_DSL, {}),
    "kfp.dsl.base_component": (_DSL, _LOADED),
    "kfp.dsl.component_decorator": (_DSL, {}),
    "kfp.dsl.component_task_config": (_DSL, {}),
    "kfp.dsl.constants": (("headrace.dsl.constants",), {}),
    "kfp.dsl.container_component_class": (_DSL, _LOADED),
    "kfp.dsl.container_component_decorator": (_DSL, {}),
    "kfp.dsl.for_loop": (_DSL, {}),
    "kfp.dsl.graph_component": (_DSL, _LOADED),
    "kfp.dsl.importer_node": (_DSL, {}),
    "kfp.dsl.notebook_component_decorator": (_DSL, {}),
    "kfp.dsl.notebook_helpers": (_DSL, {}),
    "kfp.dsl.pipeline_channel": (_DSL, _CHANNELS),
    "kfp.dsl.pipeline_config": (_DSL, {}),
    "kfp.dsl.pipeline_context": (_DSL, {}),
    "kfp.dsl.pipeline_task": (_DSL, {}),
    "kfp.dsl.placeholders": (_DSL, _MARKS),
    "kfp.dsl.python_component": (_DSL, _LOADED),
    "kfp.dsl.structures": (_DSL, {}),
    "kfp.dsl.task_config": (_DSL, {}),
    "kfp.dsl.task_final_status": (_DSL, {}),
    "kfp.dsl.tasks_group": (_DSL, {}),
    _TYPES: ((), {}),
    f"{_TYPES}.artifact_types": (_DSL, {}),
    f"{_TYPES}.type_annotations": (_DSL, {}),
    f"{_TYPES}.type_utils": ((), {"InconsistentTypeException": "headrace.dsl.mistakes:DefinitionError"}),
    "kfp.dsl.yaml_component": (_DSL, _LOADED),
    "kfp.kubernetes": (("headrace.kubernetes",), {}),
    **{
        f"kfp.kubernetes.{part}": (("headrace.kubernetes",), {})
        for part in (
            "common",
            "config_map",
            "empty_dir",
            "field",
            "image",
            "node_affinity",
            "node_selector",
            "pod_metadata",
            "secret",
            "security_context",
            "timeout",
            "toleration",
            "volume",
        )
    },
    "kfp.local": (("headrace.local",), {}),
    "kfp.local.config": (("headrace.local",), {}),
    "kfp.v2": ((), {}),
    "kfp.v2.dsl": (_DSL, {}),
    "kfp.v2.compiler": (("headrace.compiler",), {}),
    "kfp.v2.components": (("headrace.components",), _LOADED),
    "kfp_server_api": ((), _REFUSED),
    "kfp_server_api.exceptions": ((), _REFUSED),
    "kfp_server_api.rest": ((), _REFUSED),
    "kfp.version": ((), {"__version__": "headrace.kfp_alias.names:KFP_VERSION"}),
}

ROOTS: Final = ("kfp", "kfp_server_api")

TYPE_CHECK: Final = True  # `kfp.TYPE_CHECK`

# Not KFP's SDK, but the IR's own package, which the platform itself imports.
LEFT_ALONE: Final = ("kfp.pipeline_spec",)

_VERSION_1: Final = "KFP's SDK has had none since 2.0; use {} instead"
# A whole name, or the last part of one → what to do.
HINTS: Final[dict[str, str]] = {
    "ContainerOp": _VERSION_1.format("@dsl.container_component"),
    "create_component_from_func": _VERSION_1.format("@dsl.component"),
    "func_to_container_op": _VERSION_1.format("@dsl.component"),
    "VolumeOp": _VERSION_1.format("kubernetes.CreatePVC"),
    "ResourceOp": _VERSION_1.format("a component that calls the Kubernetes API"),
    "kfp.onprem": _VERSION_1.format("kfp.kubernetes"),
    "kfp.gcp": _VERSION_1.format("kfp.kubernetes"),
    "kfp.aws": _VERSION_1.format("kfp.kubernetes"),
    "kfp.azure": _VERSION_1.format("kfp.kubernetes"),
    "kfp.registry": "Headrace keeps pipelines itself; use Client.upload_pipeline",
    "kfp.cli": "use the command headrace",
}

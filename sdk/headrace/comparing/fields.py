"""The fields of the IR's messages, by the names that YAML and JSON have for them. Made by `make generate`; do not edit.

Kinds: text, boolean, integer, number, duration, json (a value of the author's own, kept as it is), `enum:` and its names in
order, or a message; `[…]` a list, `{…}` a map by name; `?` at the end: being there with nothing in it differs from being absent.
"""

from __future__ import annotations

from typing import Final

FIELDS: Final[dict[str, dict[str, str]]] = {
    "PipelineSpec": {
        "pipelineInfo": "PipelineInfo",
        "deploymentSpec": "PipelineDeploymentConfig",
        "sdkVersion": "text",
        "schemaVersion": "text",
        "components": "{ComponentSpec}",
        "root": "ComponentSpec",
        "defaultPipelineRoot": "text",
    },
    "PlatformSpec": {
        "platforms": "{SinglePlatformSpec}",
    },
    "PipelineDeploymentConfig": {
        "executors": "{PipelineDeploymentConfig.ExecutorSpec}",
    },
    "PipelineInfo": {
        "name": "text",
        "displayName": "text",
        "description": "text",
    },
    "ComponentSpec": {
        "inputDefinitions": "ComponentInputsSpec",
        "outputDefinitions": "ComponentOutputsSpec",
        "dag": "DagSpec?",
        "executorLabel": "text?",
        "singlePlatformSpecs": "[SinglePlatformSpec]",
        "taskConfigPassthroughs": "[TaskConfigPassthrough]",
    },
    "SinglePlatformSpec": {
        "deploymentSpec": "PlatformDeploymentConfig",
        "platform": "text",
        "config": "json",
        "pipelineConfig": "PipelineConfig",
    },
    "PipelineDeploymentConfig.ExecutorSpec": {
        "container": "PipelineDeploymentConfig.PipelineContainerSpec?",
        "importer": "PipelineDeploymentConfig.ImporterSpec?",
        "resolver": "PipelineDeploymentConfig.ResolverSpec?",
        "customJob": "PipelineDeploymentConfig.AIPlatformCustomJobSpec?",
    },
    "ComponentInputsSpec": {
        "artifacts": "{ComponentInputsSpec.ArtifactSpec}",
        "parameters": "{ComponentInputsSpec.ParameterSpec}",
    },
    "ComponentOutputsSpec": {
        "artifacts": "{ComponentOutputsSpec.ArtifactSpec}",
        "parameters": "{ComponentOutputsSpec.ParameterSpec}",
    },
    "DagSpec": {
        "tasks": "{PipelineTaskSpec}",
        "outputs": "DagOutputsSpec",
    },
    "TaskConfigPassthrough": {
        "field": (
            "enum:NONE|"
            "RESOURCES|"
            "ENV|"
            "KUBERNETES_AFFINITY|"
            "KUBERNETES_TOLERATIONS|"
            "KUBERNETES_NODE_SELECTOR|"
            "KUBERNETES_VOLUMES"
        ),
        "applyToTask": "boolean",
    },
    "PlatformDeploymentConfig": {
        "executors": "{KubernetesExecutorConfig}",
    },
    "PipelineConfig": {
        "resourceTtlOnCompletion": "integer",
        "workspace": "WorkspaceConfig?",
        "resourceTtlOnSuccess": "integer",
        "resourceTtlOnFailure": "integer",
        "activeDeadlineSeconds": "integer",
    },
    "PipelineDeploymentConfig.PipelineContainerSpec": {
        "image": "text",
        "command": "[text]",
        "args": "[text]",
        "lifecycle": "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle",
        "resources": "PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec",
        "env": "[PipelineDeploymentConfig.PipelineContainerSpec.EnvVar]",
    },
    "PipelineDeploymentConfig.ImporterSpec": {
        "artifactUri": "ValueOrRuntimeParameter",
        "typeSchema": "ArtifactTypeSchema",
        "properties": "{ValueOrRuntimeParameter}",
        "customProperties": "{ValueOrRuntimeParameter}",
        "reimport": "boolean",
        "metadata": "json",
        "downloadToWorkspace": "boolean",
    },
    "PipelineDeploymentConfig.ResolverSpec": {
        "outputArtifactQueries": "{PipelineDeploymentConfig.ResolverSpec.ArtifactQuerySpec}",
    },
    "PipelineDeploymentConfig.AIPlatformCustomJobSpec": {
        "customJob": "json",
    },
    "ComponentInputsSpec.ArtifactSpec": {
        "artifactType": "ArtifactTypeSchema",
        "isArtifactList": "boolean",
        "isOptional": "boolean",
        "description": "text",
    },
    "ComponentInputsSpec.ParameterSpec": {
        "type": "enum:PRIMITIVE_TYPE_UNSPECIFIED|INT|DOUBLE|STRING",
        "parameterType": (
            "enum:PARAMETER_TYPE_ENUM_UNSPECIFIED|"
            "NUMBER_DOUBLE|"
            "NUMBER_INTEGER|"
            "STRING|"
            "BOOLEAN|"
            "LIST|"
            "STRUCT|"
            "TASK_FINAL_STATUS|"
            "TASK_CONFIG"
        ),
        "defaultValue": "json",
        "isOptional": "boolean",
        "description": "text",
        "literals": "[json]",
    },
    "ComponentOutputsSpec.ArtifactSpec": {
        "artifactType": "ArtifactTypeSchema",
        "properties": "{ValueOrRuntimeParameter}",
        "customProperties": "{ValueOrRuntimeParameter}",
        "metadata": "json",
        "isArtifactList": "boolean",
        "description": "text",
    },
    "ComponentOutputsSpec.ParameterSpec": {
        "type": "enum:PRIMITIVE_TYPE_UNSPECIFIED|INT|DOUBLE|STRING",
        "parameterType": (
            "enum:PARAMETER_TYPE_ENUM_UNSPECIFIED|"
            "NUMBER_DOUBLE|"
            "NUMBER_INTEGER|"
            "STRING|"
            "BOOLEAN|"
            "LIST|"
            "STRUCT|"
            "TASK_FINAL_STATUS|"
            "TASK_CONFIG"
        ),
        "description": "text",
    },
    "PipelineTaskSpec": {
        "taskInfo": "PipelineTaskInfo",
        "inputs": "TaskInputsSpec",
        "dependentTasks": "[text]",
        "cachingOptions": "PipelineTaskSpec.CachingOptions",
        "componentRef": "ComponentRef",
        "triggerPolicy": "PipelineTaskSpec.TriggerPolicy",
        "artifactIterator": "ArtifactIteratorSpec?",
        "parameterIterator": "ParameterIteratorSpec?",
        "retryPolicy": "PipelineTaskSpec.RetryPolicy",
        "iteratorPolicy": "PipelineTaskSpec.IteratorPolicy",
    },
    "DagOutputsSpec": {
        "artifacts": "{DagOutputsSpec.DagOutputArtifactSpec}",
        "parameters": "{DagOutputsSpec.DagOutputParameterSpec}",
    },
    "WorkspaceConfig": {
        "size": "text",
        "kubernetes": "KubernetesWorkspaceConfig?",
    },
    "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle": {
        "preCacheCheck": "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle.Exec",
    },
    "PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec": {
        "cpuLimit": "number",
        "memoryLimit": "number",
        "cpuRequest": "number",
        "memoryRequest": "number",
        "resourceCpuLimit": "text",
        "resourceMemoryLimit": "text",
        "resourceCpuRequest": "text",
        "resourceMemoryRequest": "text",
        "accelerator": "PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec.AcceleratorConfig",
    },
    "PipelineDeploymentConfig.PipelineContainerSpec.EnvVar": {
        "name": "text",
        "value": "text",
    },
    "ValueOrRuntimeParameter": {
        "constantValue": "Value?",
        "runtimeParameter": "text?",
        "constant": "json?",
    },
    "ArtifactTypeSchema": {
        "schemaTitle": "text?",
        "schemaUri": "text?",
        "instanceSchema": "text?",
        "schemaVersion": "text",
    },
    "PipelineDeploymentConfig.ResolverSpec.ArtifactQuerySpec": {
        "filter": "text",
        "limit": "integer",
    },
    "PipelineTaskInfo": {
        "name": "text",
    },
    "TaskInputsSpec": {
        "parameters": "{TaskInputsSpec.InputParameterSpec}",
        "artifacts": "{TaskInputsSpec.InputArtifactSpec}",
    },
    "PipelineTaskSpec.CachingOptions": {
        "enableCache": "boolean",
        "cacheKey": "text",
    },
    "ComponentRef": {
        "name": "text",
    },
    "PipelineTaskSpec.TriggerPolicy": {
        "condition": "text",
        "strategy": "enum:TRIGGER_STRATEGY_UNSPECIFIED|ALL_UPSTREAM_TASKS_SUCCEEDED|ALL_UPSTREAM_TASKS_COMPLETED",
    },
    "ArtifactIteratorSpec": {
        "items": "ArtifactIteratorSpec.ItemsSpec",
        "itemInput": "text",
    },
    "ParameterIteratorSpec": {
        "items": "ParameterIteratorSpec.ItemsSpec",
        "itemInput": "text",
    },
    "PipelineTaskSpec.RetryPolicy": {
        "maxRetryCount": "integer",
        "backoffDuration": "duration",
        "backoffFactor": "number",
        "backoffMaxDuration": "duration",
    },
    "PipelineTaskSpec.IteratorPolicy": {
        "parallelismLimit": "integer",
    },
    "DagOutputsSpec.DagOutputArtifactSpec": {
        "artifactSelectors": "[DagOutputsSpec.ArtifactSelectorSpec]",
    },
    "DagOutputsSpec.DagOutputParameterSpec": {
        "valueFromParameter": "DagOutputsSpec.ParameterSelectorSpec?",
        "valueFromOneof": "DagOutputsSpec.ParameterSelectorsSpec?",
    },
    "KubernetesWorkspaceConfig": {
        "pvcSpecPatch": "json?",
    },
    "PipelineDeploymentConfig.PipelineContainerSpec.Lifecycle.Exec": {
        "command": "[text]",
        "args": "[text]",
    },
    "PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec.AcceleratorConfig": {
        "type": "text",
        "count": "integer",
        "resourceType": "text",
        "resourceCount": "text",
    },
    "Value": {
        "intValue": "integer?",
        "doubleValue": "number?",
        "stringValue": "text?",
    },
    "TaskInputsSpec.InputParameterSpec": {
        "taskOutputParameter": "TaskInputsSpec.InputParameterSpec.TaskOutputParameterSpec?",
        "runtimeValue": "ValueOrRuntimeParameter?",
        "componentInputParameter": "text?",
        "taskFinalStatus": "TaskInputsSpec.InputParameterSpec.TaskFinalStatus?",
        "parameterExpressionSelector": "text",
    },
    "TaskInputsSpec.InputArtifactSpec": {
        "taskOutputArtifact": "TaskInputsSpec.InputArtifactSpec.TaskOutputArtifactSpec?",
        "componentInputArtifact": "text?",
    },
    "ArtifactIteratorSpec.ItemsSpec": {
        "inputArtifact": "text",
    },
    "ParameterIteratorSpec.ItemsSpec": {
        "raw": "text?",
        "inputParameter": "text?",
    },
    "DagOutputsSpec.ArtifactSelectorSpec": {
        "producerSubtask": "text",
        "outputArtifactKey": "text",
    },
    "DagOutputsSpec.ParameterSelectorSpec": {
        "producerSubtask": "text",
        "outputParameterKey": "text",
    },
    "DagOutputsSpec.ParameterSelectorsSpec": {
        "parameterSelectors": "[DagOutputsSpec.ParameterSelectorSpec]",
    },
    "TaskInputsSpec.InputParameterSpec.TaskOutputParameterSpec": {
        "producerTask": "text",
        "outputParameterKey": "text",
    },
    "TaskInputsSpec.InputParameterSpec.TaskFinalStatus": {
        "producerTask": "text",
    },
    "TaskInputsSpec.InputArtifactSpec.TaskOutputArtifactSpec": {
        "producerTask": "text",
        "outputArtifactKey": "text",
    },
    "KubernetesExecutorConfig": {
        "secretAsVolume": "[SecretAsVolume]",
        "secretAsEnv": "[SecretAsEnv]",
        "pvcMount": "[PvcMount]",
        "nodeSelector": "NodeSelector",
        "podMetadata": "PodMetadata",
        "imagePullSecret": "[ImagePullSecret]",
        "imagePullPolicy": "text",
        "configMapAsVolume": "[ConfigMapAsVolume]",
        "configMapAsEnv": "[ConfigMapAsEnv]",
        "activeDeadlineSeconds": "integer",
        "fieldPathAsEnv": "[FieldPathAsEnv]",
        "tolerations": "[Toleration]",
        "genericEphemeralVolume": "[GenericEphemeralVolume]",
        "nodeAffinity": "[NodeAffinityTerm]",
        "podAffinity": "[PodAffinityTerm]",
        "enabledSharedMemory": "EnabledSharedMemory",
        "emptyDirMounts": "[EmptyDirMount]",
        "securityContext": "SecurityContext",
        "initContainers": "[InitContainer]",
        "podResourceClaims": "[PodResourceClaim]",
    },
    "EnabledSharedMemory": {
        "volumeName": "text",
        "size": "text",
    },
    "SecretAsVolume": {
        "secretName": "text",
        "mountPath": "text",
        "optional": "boolean?",
        "secretNameParameter": "TaskInputsSpec.InputParameterSpec",
    },
    "SecretAsEnv": {
        "secretName": "text",
        "keyToEnv": "[SecretAsEnv.SecretKeyToEnvMap]",
        "optional": "boolean?",
        "secretNameParameter": "TaskInputsSpec.InputParameterSpec",
    },
    "SecretAsEnv.SecretKeyToEnvMap": {
        "secretKey": "text",
        "envVar": "text",
    },
    "PvcMount": {
        "taskOutputParameter": "TaskInputsSpec.InputParameterSpec.TaskOutputParameterSpec?",
        "constant": "text?",
        "componentInputParameter": "text?",
        "mountPath": "text",
        "pvcNameParameter": "TaskInputsSpec.InputParameterSpec",
        "subPath": "text",
    },
    "NodeSelector": {
        "labels": "{text}",
        "nodeSelectorJson": "TaskInputsSpec.InputParameterSpec",
    },
    "PodMetadata": {
        "labels": "{text}",
        "annotations": "{text}",
    },
    "ConfigMapAsVolume": {
        "configMapName": "text",
        "mountPath": "text",
        "optional": "boolean?",
        "configMapNameParameter": "TaskInputsSpec.InputParameterSpec",
    },
    "ConfigMapAsEnv": {
        "configMapName": "text",
        "keyToEnv": "[ConfigMapAsEnv.ConfigMapKeyToEnvMap]",
        "configMapNameParameter": "TaskInputsSpec.InputParameterSpec",
        "optional": "boolean?",
    },
    "ConfigMapAsEnv.ConfigMapKeyToEnvMap": {
        "configMapKey": "text",
        "envVar": "text",
    },
    "GenericEphemeralVolume": {
        "volumeName": "text",
        "mountPath": "text",
        "accessModes": "[text]",
        "size": "text",
        "defaultStorageClass": "boolean",
        "storageClassName": "text",
        "metadata": "PodMetadata",
    },
    "ImagePullSecret": {
        "secretName": "text",
        "secretNameParameter": "TaskInputsSpec.InputParameterSpec",
    },
    "FieldPathAsEnv": {
        "name": "text",
        "fieldPath": "text",
    },
    "Toleration": {
        "key": "text",
        "operator": "text",
        "value": "text",
        "effect": "text",
        "tolerationSeconds": "integer?",
        "tolerationJson": "TaskInputsSpec.InputParameterSpec",
    },
    "SelectorRequirement": {
        "key": "text",
        "operator": "text",
        "values": "[text]",
    },
    "NodeAffinityTerm": {
        "matchExpressions": "[SelectorRequirement]",
        "matchFields": "[SelectorRequirement]",
        "weight": "integer?",
        "nodeAffinityJson": "TaskInputsSpec.InputParameterSpec",
    },
    "PodAffinityTerm": {
        "matchPodExpressions": "[SelectorRequirement]",
        "matchPodLabels": "{text}",
        "topologyKey": "text",
        "namespaces": "[text]",
        "matchNamespaceExpressions": "[SelectorRequirement]",
        "matchNamespaceLabels": "{text}",
        "weight": "integer?",
        "anti": "boolean?",
    },
    "SecurityContext": {
        "runAsUser": "integer?",
        "runAsGroup": "integer?",
        "runAsNonRoot": "boolean?",
    },
    "EmptyDirMount": {
        "volumeName": "text",
        "mountPath": "text",
        "medium": "text?",
        "sizeLimit": "text?",
    },
    "InitContainer": {
        "name": "text",
        "image": "text",
        "command": "[text]",
        "args": "[text]",
        "env": "[InitContainer.EnvVar]",
        "volumeMounts": "[InitContainer.VolumeMount]",
        "restartPolicy": "text",
        "resources": "InitContainer.ResourceRequirements",
    },
    "InitContainer.EnvVar": {
        "name": "text",
        "value": "text",
    },
    "InitContainer.VolumeMount": {
        "volumeName": "text",
        "mountPath": "text",
    },
    "InitContainer.ResourceRequirements": {
        "requests": "{text}",
        "limits": "{text}",
    },
    "PodResourceClaim": {
        "resourceClaimTemplateName": "text",
        "resourceClaimJson": "TaskInputsSpec.InputParameterSpec",
    },
}

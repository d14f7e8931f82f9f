"""What a whole pipeline can be told: workspace, time to live, deadline; and task configurations that are handed on."""
from kfp import dsl, kubernetes
from steps import IMAGE, say


@dsl.pipeline(
    name='lifetimes',
    pipeline_config=dsl.PipelineConfig(
        ttl_seconds_after_finished=60, ttl_seconds_after_success=10, ttl_seconds_after_failure=100, active_deadline_seconds=3600
    ),
)
def lifetimes():
    say(text='a')


@dsl.pipeline(name='workspace', pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='1Gi')))
def workspace():
    say(text=dsl.WORKSPACE_PATH_PLACEHOLDER)
    got = dsl.importer(artifact_uri='file:///etc/hostname', artifact_class=dsl.Dataset, download_to_workspace=True)
    say(text=f'{dsl.WORKSPACE_PATH_PLACEHOLDER}/inside').after(got)


claim = dsl.KubernetesWorkspaceConfig(pvcSpecPatch={'accessModes': ['ReadWriteMany']})
claim.set_pvcSpecPatch({'accessModes': ['ReadWriteOnce'], 'storageClassName': 'fast'})
patched = dsl.WorkspaceConfig(size='2Gi')
patched.set_size('3Gi')
patched.set_kubernetes_config(claim)


@dsl.pipeline(name='workspace-patched', pipeline_config=dsl.PipelineConfig(workspace=patched, ttl_seconds_after_finished=5))
def workspace_patched(where: str = 'x'):
    say(text=f'{dsl.WORKSPACE_PATH_PLACEHOLDER}/{where}')


@dsl.component(base_image=IMAGE, task_config_passthroughs=[
    dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.ENV, apply_to_task=True),
    dsl.TaskConfigField.RESOURCES,
    dsl.TaskConfigField.KUBERNETES_VOLUMES,
    dsl.TaskConfigField.KUBERNETES_NODE_SELECTOR,
    dsl.TaskConfigField.KUBERNETES_TOLERATIONS,
    dsl.TaskConfigPassthrough(field=dsl.TaskConfigField.KUBERNETES_AFFINITY),
])
def handed_on(text: str, task_config: dsl.TaskConfig) -> str:
    return f'{text} {task_config.env}'


@dsl.component(base_image=IMAGE)
def without(config: dsl.TaskConfig):
    print(config)


@dsl.pipeline(name='task-configs')
def task_configs():
    task = handed_on(text='a').set_env_variable('A', 'b').set_cpu_limit('1')
    kubernetes.add_toleration(task, key='gpu', operator='Exists')
    without()


PIPELINES = [lifetimes, workspace, workspace_patched, task_configs]

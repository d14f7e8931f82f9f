"""All of kfp.kubernetes: written out, from the pipeline's inputs, and from outputs of tasks."""
from typing import Optional

from kfp import dsl, kubernetes
from steps import IMAGE, say


@dsl.component(base_image=IMAGE)
def selector() -> dict:
    return {'disk': 'fast'}


@dsl.component(base_image=IMAGE)
def name() -> str:
    return 'name'


@dsl.pipeline(name='kube-secrets')
def secrets(given: str = 'mine', perhaps: Optional[str] = None):
    a = say(text='a')
    kubernetes.use_secret_as_env(a, secret_name='s', secret_key_to_env={'k': 'V', 'l': 'W'})
    kubernetes.use_secret_as_env(a, secret_name=given, secret_key_to_env={'k': 'X'}, optional=True)
    kubernetes.use_secret_as_env(a, secret_name=name().output, secret_key_to_env={'k': 'Y'}, optional=False)
    kubernetes.use_secret_as_volume(a, secret_name='s', mount_path='/s')
    kubernetes.use_secret_as_volume(a, secret_name=given, mount_path='/t', optional=True)
    b = say(text='b')
    kubernetes.use_secret_as_volume(b, secret_name=perhaps, mount_path='/u', optional=False)


@dsl.pipeline(name='kube-config-maps')
def config_maps(given: str = 'mine'):
    a = say(text='a')
    kubernetes.use_config_map_as_env(a, config_map_name='c', config_map_key_to_env={'k': 'V'})
    kubernetes.use_config_map_as_env(a, config_map_name=given, config_map_key_to_env={'k': 'W'}, optional=True)
    kubernetes.use_config_map_as_volume(a, config_map_name='c', mount_path='/c')
    kubernetes.use_config_map_as_volume(a, config_map_name=name().output, mount_path='/d', optional=True)


@dsl.pipeline(name='kube-volumes')
def volumes(claim: str = 'claim'):
    made = kubernetes.CreatePVC(pvc_name_suffix='-x', access_modes=['ReadWriteOnce'], size='1Gi', storage_class_name='standard')
    a = say(text='a')
    kubernetes.mount_pvc(a, pvc_name=made.outputs['name'], mount_path='/a')
    kubernetes.mount_pvc(a, pvc_name=claim, mount_path='/b', sub_path='in/it')
    kubernetes.mount_pvc(a, pvc_name='fixed', mount_path='/c')
    kubernetes.DeletePVC(pvc_name=made.outputs['name']).after(a)
    kubernetes.CreatePVC(
        pvc_name=claim, access_modes=['ReadWriteMany', 'ReadOnlyMany'], size='2Gi', volume_name='v', annotations={'a': 'b'},
        data_source={'api_group': 'g', 'kind': 'k', 'name': 'n'},
    )
    kubernetes.DeletePVC(pvc_name='fixed')
    with dsl.ParallelFor(['x', 'y']) as item:
        kubernetes.mount_pvc(say(text=item), pvc_name=item, mount_path='/e')


@dsl.pipeline(name='kube-scratch')
def scratch():
    a = say(text='a')
    kubernetes.add_ephemeral_volume(a, volume_name='e', mount_path='/e', access_modes=['ReadWriteOnce'], size='1Gi')
    kubernetes.add_ephemeral_volume(
        a, volume_name='f', mount_path='/f', access_modes=['ReadWriteOncePod'], size='2Gi', storage_class_name='fast',
        labels={'l': 'm'}, annotations={'n': 'o'},
    )
    kubernetes.empty_dir_mount(a, volume_name='g', mount_path='/g')
    kubernetes.empty_dir_mount(a, volume_name='h', mount_path='/dev/shm', medium='Memory', size_limit='1Gi')


@dsl.pipeline(name='kube-nodes')
def nodes(selected: dict = {'disk': 'slow'}):
    a = say(text='a')
    kubernetes.add_node_selector(a, label_key='zone', label_value='a')
    kubernetes.add_node_selector(a, label_key='kind', label_value='')
    kubernetes.add_node_affinity(a, match_expressions=[{'key': 'k', 'operator': 'In', 'values': ['a', 'b']}], weight=5)
    kubernetes.add_node_affinity(a, match_fields=[{'key': 'metadata.name', 'operator': 'NotIn', 'values': ['n']}])
    kubernetes.add_node_selector_json(say(text='b'), selected)
    kubernetes.add_node_selector_json(say(text='c'), selector().output)


@dsl.pipeline(name='kube-affinity-json')
def affinity_json(given: dict = {}):
    kubernetes.add_node_affinity_json(say(text='a'), given)
    kubernetes.add_node_affinity_json(say(text='b'), {
        'requiredDuringSchedulingIgnoredDuringExecution': {
            'nodeSelectorTerms': [{'matchExpressions': [{'key': 'k', 'operator': 'Exists'}]}]
        }
    })


@dsl.pipeline(name='kube-tolerations')
def tolerations(given: dict = {'key': 'k'}, several: list = []):
    a = say(text='a')
    kubernetes.add_toleration(a, key='k', operator='Equal', value='v', effect='NoExecute', toleration_seconds=10)
    kubernetes.add_toleration(a, operator='Exists')
    kubernetes.add_toleration_json(a, {'key': 'j', 'operator': 'Exists', 'effect': 'NoSchedule'})
    kubernetes.add_toleration_json(a, [{'key': 'l', 'operator': 'Exists'}, {'key': 'm', 'value': 'n'}])
    kubernetes.add_toleration_json(say(text='b'), given)
    kubernetes.add_toleration_json(say(text='c'), several)


@dsl.pipeline(name='kube-pods')
def pods(policy: str = 'Always', secret: str = 's'):
    a = say(text='a')
    kubernetes.add_pod_label(a, label_key='team', label_value='mill')
    kubernetes.add_pod_label(a, label_key='example.com/part', label_value='wheel')
    kubernetes.add_pod_annotation(a, annotation_key='note', annotation_value='long text')
    kubernetes.set_image_pull_policy(a, 'IfNotPresent')
    kubernetes.set_image_pull_secrets(a, ['one', 'two'])
    kubernetes.set_image_pull_secrets(say(text='b'), ['one', secret])
    kubernetes.use_field_path_as_env(a, env_name='NODE', field_path='spec.nodeName')
    kubernetes.set_timeout(a, 20)
    kubernetes.set_security_context(a, run_as_user=1000, run_as_group=0, run_as_non_root=True)
    kubernetes.set_security_context(say(text='c'), run_as_non_root=False)


@dsl.pipeline(name='kube-inner')
def inner(secret: str):
    kubernetes.use_secret_as_env(say(text='a'), secret_name=secret, secret_key_to_env={'k': 'V'})


@dsl.pipeline(name='kube-nested')
def nested(secret: str = 's'):
    inner(secret=secret)
    with dsl.If(secret == 's'):
        inner(secret=name().output)
        kubernetes.add_pod_label(say(text='b'), label_key='a', label_value='b')


PIPELINES = [secrets, config_maps, volumes, scratch, nodes, affinity_json, tolerations, pods, nested]

"""What the API's refusals of a create call mean: messages as Kubernetes' admission writes them."""

from __future__ import annotations

import pytest

from headrace_scheduler.executors.kubernetes.refusals import Refusal, meaning

FORBIDDEN = 'pods "train-1" is forbidden: '
CASES = [
    (
        403, FORBIDDEN + "exceeded quota: gpus, requested: requests.cpu=1,requests.nvidia.com/gpu=2, used: requests.cpu=3,"
        "requests.nvidia.com/gpu=3, limited: requests.cpu=8,requests.nvidia.com/gpu=4",
        Refusal.WAIT,
        "the quota 'gpus' of namespace 'team-a' is used up: requests.cpu: 3 of 8 in use, this task asks for 1; "
        "requests.nvidia.com/gpu: 3 of 4 in use, this task asks for 2",
    ),
    (
        403, FORBIDDEN + "exceeded quota: small, requested: requests.memory=64Gi, used: requests.memory=0, limited: "
        "requests.memory=32Gi",
        Refusal.WAIT,
        "the quota 'small' of namespace 'team-a' is used up: requests.memory: 0 of 32Gi in use, this task asks for 64Gi; "
        "requests.memory alone is more than the whole quota: ask for less, or raise it",
    ),
    (
        403, FORBIDDEN + "status unknown for quota: gpus, resources: cpu", Refusal.AGAIN,
        "the quota of namespace 'team-a' is being counted",
    ),
    (
        403, FORBIDDEN + "failed quota: gpus: must specify limits.memory for: main", Refusal.NEVER,
        "the quota 'gpus' of namespace 'team-a' asks for more to be said of the Pod: give limits.memory for: main",
    ),
    (
        403, FORBIDDEN + 'violates PodSecurity "restricted:latest": runAsNonRoot != true (pod must set it)', Refusal.NEVER,
        "namespace 'team-a' is held to the Pod Security level 'restricted', and the Pod is not so: runAsNonRoot != true (pod "
        "must set it)",
    ),
    (
        403, FORBIDDEN + "maximum cpu usage per Container is 1, but limit is 2", Refusal.NEVER,
        "the limit range of namespace 'team-a' does not allow the Pod: " + FORBIDDEN + "maximum cpu usage per Container is 1, "
        "but limit is 2",
    ),
    (
        403, FORBIDDEN + 'error looking up service account team-a/headrace-task: serviceaccount "headrace-task" not found',
        Refusal.STUCK,
        "namespace 'team-a' is not prepared for tasks: it has no service account 'headrace-task'; create it",
    ),
    (
        403, 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "team-a"',
        Refusal.STUCK,
        "the scheduler may not make a Pod in namespace 'team-a': bind its role there (pods is forbidden: User \"u\" cannot "
        'create resource "pods" in API group "" in the namespace "team-a")',
    ),
    (
        403, FORBIDDEN + "unable to create new content in namespace team-a because it is being terminated", Refusal.NEVER,
        "the Kubernetes namespace 'team-a' is being deleted",
    ),
    (
        403, FORBIDDEN + "no PriorityClass with name high was found", Refusal.STUCK,
        "the cluster has no priority class 'high', which the operator's Pod defaults name",
    ),
    (
        403, FORBIDDEN + 'pod rejected: RuntimeClass "gvisor" not found', Refusal.STUCK,
        "the cluster has no runtime class 'gvisor', which the operator's Pod defaults name",
    ),
    (
        400, 'admission webhook "policy.example" denied the request: images must come from our registry', Refusal.NEVER,
        "the admission webhook 'policy.example' refuses the Pod: images must come from our registry",
    ),
    (
        500, 'Internal error occurred: failed calling webhook "policy.example": context deadline exceeded', Refusal.STUCK,
        "the admission webhook 'policy.example' does not answer, so the Pod cannot be made: Internal error occurred: failed "
        'calling webhook "policy.example": context deadline exceeded',
    ),
    (404, 'namespaces "team-a" not found', Refusal.STUCK, "the Kubernetes namespace 'team-a' does not exist: create it"),
    (429, "too many requests", Refusal.STUCK, "the Kubernetes API does not take the Pod now: too many requests"),
    (
        422, 'Pod "train-1" is invalid: spec.containers[0].image: Required value', Refusal.NEVER,
        "Kubernetes does not accept the Pod: spec.containers[0].image: Required value",
    ),
    (413, "Request entity too large", Refusal.NEVER, "Kubernetes does not accept the Pod: Request entity too large"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "said", "kind", "sentence"), CASES)
def test_a_refusal(status, said, kind, sentence):
    found = meaning(status, {"message": said}, "Pod", "team-a")
    assert (found.kind, found.sentence) == (kind, sentence)


def test_wrong_fields_are_named():
    causes = [
        {
            "reason": "FieldValueInvalid",
            "field": "spec.containers[0].resources.requests",
            "message": "must be less than 1",
        },
        {"reason": "FieldValueRequired", "field": "spec.x", "message": "Required value"},
    ]
    found = meaning(422, {"message": "long", "details": {"causes": causes}}, "Pod", "team-a")
    assert found.kind is Refusal.NEVER
    assert found.sentence == (
        "Kubernetes does not accept the Pod: spec.containers[0].resources.requests: must be less than 1; spec.x: Required value"
    )


def test_conflicts():
    assert meaning(409, {"reason": "AlreadyExists"}, "Pod", "a").kind is Refusal.EXISTS
    assert meaning(409, {"reason": "Conflict"}, "Pod", "a").kind is Refusal.AGAIN

"""Package kubeflow.pipelines.backend.api.v2beta1: names, numbers and REST paths are fixed by the clients that exist."""

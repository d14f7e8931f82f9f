"""The public API of Kubeflow Pipelines that existing clients speak."""

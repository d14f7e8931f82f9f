"""The Kubernetes executor: one Pod for each attempt. `api.py` alone imports the `kubernetes` package.

Pure: `pods` (the manifest) with `names`, `volumes`, `security`, `options`; `ends` (what a Pod's status means); `waits` (why a Pod
has not started); `claims` (bodies of volume claims).
"""

"""Brings a real Kubernetes up on one machine, as root, without systemd, a container engine or a registry of others.

`python -m cluster.bringup up | down | load | status` (make cluster-up, cluster-down). The tests that use the cluster
live one folder above; nothing of the platform is imported here.
"""

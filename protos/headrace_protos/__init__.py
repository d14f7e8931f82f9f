"""The wire contracts: headrace.v1 messages and services, KFP v2beta1, the task life cycle."""

"""Headrace companion: stages inputs in, runs user code, publishes outputs and logs."""

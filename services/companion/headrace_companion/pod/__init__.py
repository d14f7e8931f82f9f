"""The companion of a task's Pod: asks for its attempt, stages, waits for the shim, publishes, reports. See __main__."""

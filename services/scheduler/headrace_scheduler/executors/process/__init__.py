"""The process executor: attempts as process groups of this machine, lightweight components in forked interpreters."""

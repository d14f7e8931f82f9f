"""The scheduler's gRPC services: Scheduler, Attempts, ArtifactAccess."""

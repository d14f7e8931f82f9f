"""The public gRPC services, one module each; the gateway and the gRPC server call the same objects."""

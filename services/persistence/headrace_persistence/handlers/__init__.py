"""One module for each gRPC service: request in, store, response out; nothing is decided here."""

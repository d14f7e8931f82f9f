"""headrace.v1: our own services and messages (generated code beside each .proto)."""

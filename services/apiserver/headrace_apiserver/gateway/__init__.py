"""HTTP in front of the handlers: transcoding from the protos' annotations, uploads, health, the plain page, and who may call."""

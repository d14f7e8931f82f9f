"""What Headrace compiles, in the hands of Google's own client for Vertex AI Pipelines; `make test-vertex`."""

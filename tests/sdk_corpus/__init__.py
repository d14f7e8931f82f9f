"""One corpus of pipelines in KFP's words, compiled by the official SDK and by Headrace: equal by meaning, and alike when run."""

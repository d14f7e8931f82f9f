"""The same pipelines through the official `kfp.local` and through Headrace."""

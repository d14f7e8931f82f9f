"""Fetching what lies outside the platform's stores: http(s), S3-compatible stores, Google Cloud Storage.

`fetching.Fetcher` is what executors call; consumers' private copies are made by staging. Blocking, for threads. The
libraries (urllib3, minio) are imported when the first remote artifact is fetched, not when a platform starts.
"""

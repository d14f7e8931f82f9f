"""The opponents: programs that run in environments of their own (`.venv-kfp`, `.venv-prefect`, `.venv-dbos`).

They import nothing of ours. Each prints one JSON object as its last line; `bench/rivals.py` starts them.
"""

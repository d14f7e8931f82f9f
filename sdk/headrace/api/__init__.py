"""The client, asyncio: connection and calls on plain records, and over them the objects of `AsyncClient`.

The blocking face, `headrace.Client`, is generated from the modules with objects (tools/gen_blocking.py → headrace.blocking).
"""

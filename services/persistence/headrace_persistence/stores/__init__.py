"""The stores: each a thin shell that runs named queries in transactions and answers with headrace.v1 messages."""

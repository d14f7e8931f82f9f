"""Who calls over the network: service account tokens, verified offline. The one place that knows JSON Web Tokens."""

"""ML Metadata's public API, which its official client and the tools of KFP speak."""

"""A second release beside the first: its share of the traffic, and an entry that no bad canary can be felt through."""

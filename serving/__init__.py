"""The online engine: recall, features, score, fuse, rules, explain."""

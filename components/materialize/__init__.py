"""Feast: user states as they were known at a moment, and online once a release has passed its gate."""

"""Feast definitions; imported by nobody but Feast."""

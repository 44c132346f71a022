"""Composition only: the pipelines, their settings and the command line."""

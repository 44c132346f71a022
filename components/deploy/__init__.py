"""Publish a release, prove that it answers, render what a cluster needs to serve it."""

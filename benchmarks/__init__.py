"""Timings of a published release; each writes JSON and a plot."""

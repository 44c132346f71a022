"""Evaluate: drive the serving engine over the test period, with intervals, segments and a verdict."""

"""Tuning: numbers of the members and of the fusion, searched on hold-outs of the training events."""

"""Texts of the catalogue to vectors."""

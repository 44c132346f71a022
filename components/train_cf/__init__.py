"""Collaborative filtering: popularity, factorisation, neighbourhoods and repurchase."""

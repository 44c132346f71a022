"""Package: one release folder that its manifest vouches for."""

"""Quality against peers: the same split, the same filter and the same metrics for everybody."""

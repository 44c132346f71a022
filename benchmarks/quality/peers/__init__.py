"""The peers: other people's recommenders on the same cases, each tuned with the same budget."""

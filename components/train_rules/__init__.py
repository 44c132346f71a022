"""Relations between items, mined from baskets, texts and the shop's own table."""

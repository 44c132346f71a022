"""Stage fuse: learn how much each member counts, compare the methods, keep the best."""

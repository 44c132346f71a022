"""A source becomes the shop's canonical tables, without personal ids."""

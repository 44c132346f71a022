"""Clean, normalise and split the checked tables: what every later stage reads."""

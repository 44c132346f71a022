"""The deep member: a user tower over histories and an item tower over features, in Keras."""

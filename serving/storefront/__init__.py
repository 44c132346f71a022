"""The storefront: one static page beside the model, to try a question and see why each item is where it is."""

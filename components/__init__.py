"""The stages of the pipeline, one package each, in the order in which data passes through them."""

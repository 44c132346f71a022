"""What surrounds the pipeline and the server on a cluster: images, manifests, and their checks."""

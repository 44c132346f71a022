"""The images the steps run in; settings may replace them when a pipeline is compiled."""

import os

PIPELINE_IMAGE = os.environ.get("CUVEE_PIPELINE_IMAGE", "ghcr.io/cuvee/pipeline-python:0.1.0")
SERVING_IMAGE = os.environ.get("CUVEE_SERVING_IMAGE", "ghcr.io/cuvee/serving-python:0.1.0")

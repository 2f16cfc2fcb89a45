#!/usr/bin/env bash
# The steps of `make ci`, fast ones first. Each prints its time; the first failure ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
step() {
  local name=$1 from=$SECONDS
  shift
  echo "==> $name"
  if ! "$@"; then
    echo "==> $name FAILED after $((SECONDS - from)) s"
    exit 1
  fi
  echo "==> $name ok, $((SECONDS - from)) s"
}
# Steps whose tests wait for real servers, processes or a browser get a second try on a busy machine; that it was needed is said.
tried() {
  local name=$1 from=$SECONDS
  shift
  echo "==> $name"
  "$@" || { echo "==> $name failed at the first try: look at it"; "$@"; } || { echo "==> $name FAILED after $((SECONDS - from)) s"; exit 1; }
  echo "==> $name ok, $((SECONDS - from)) s"
}
step "go mod tidy" make tidy
step "go vet" go vet -tags real ./...
tried "tests (as README's command)" make test
step "generated code" make check-generated
step "lint" make lint
step "deploy" make deploy-check
step "web" make web-check
step "benchmarks once" make bench-once
tried "race detector" make race
tried "race detector, Kafka" make race-kafka
tried "browser" make e2e
tried "real servers" make real
tried "crash" make crash
tried "cluster" make torture TORTURE_TIME=2m
step "shared data" scripts/replay-shared.sh
tried "fuzz" make fuzz
echo "==> all steps passed in $SECONDS s"

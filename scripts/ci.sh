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
step "go mod tidy" make tidy
step "go vet" go vet -tags real ./...
step "tests (as README's command)" make test
step "generated code" make check-generated
step "lint" make lint
step "web" make web-check
step "benchmarks once" make bench-once
step "race detector" make race
step "browser" make e2e
step "real servers" make real
step "crash" make crash
step "fuzz" make fuzz
step "shared data" scripts/replay-shared.sh
echo "==> all steps passed in $SECONDS s"

#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each, two at a time with one worker each (go test fuzzes one target a run).
set -euo pipefail
: "${GO:=go}" "${FUZZTIME:=20s}"
export GO FUZZTIME
targets=$(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func / /')
one() {
  out=$("$GO" test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" -parallel 1 "./$(dirname "$1")" 2>&1) && { echo "ok   $2 $(dirname "$1")"; return; }
  # A run that ends while its worker is between two inputs reports only that; it has found nothing.
  if grep -q 'context deadline exceeded' <<<"$out" && ! grep -q 'Failing input' <<<"$out"; then echo "ok   $2 $(dirname "$1")"; return; fi
  printf 'FAIL %s %s\n%s\n' "$2" "$(dirname "$1")" "$out"
  return 1
}
export -f one
xargs -P 2 -L 1 bash -c 'one "$0" "$1"' <<<"$targets"
echo "$(wc -l <<<"$targets") fuzz targets ran"

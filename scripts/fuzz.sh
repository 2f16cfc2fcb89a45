#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each (go test fuzzes one target at a time).
set -euo pipefail
: "${GO:=go}" "${FUZZTIME:=20s}"
count=0
while IFS=: read -r file target; do
  pkg="./$(dirname "$file")"
  echo "fuzz $pkg $target $FUZZTIME"
  "$GO" test -run '^$' -fuzz "^${target}\$" -fuzztime "$FUZZTIME" "$pkg"
  count=$((count + 1))
done < <(git grep -hoE --full-name -n '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' >/dev/null; git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/func //')
echo "$count fuzz targets ran"

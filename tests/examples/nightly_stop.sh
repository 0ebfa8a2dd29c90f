#!/usr/bin/env bash
# Stop a studio for the night. Say nothing when all of it has stopped, else what has not, and why.
set -u
studio=${1:-demo-studio}
run_id="nightly-$(date +%F)"

for pause in 0 60 300; do
  sleep "$pause"
  # Each attempt accounts for every session that an earlier one has named, so the last says it all.
  report=$(nimble-stop stop "$studio" --all --wait --quiet --deadline 1800 --run-id "$run_id" 2>&1)
  status=$?
  [ "$status" -eq 0 ] && exit 0
done
printf '%s\n' "$report"
exit "$status"

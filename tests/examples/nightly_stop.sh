#!/usr/bin/env bash
# Stop a studio for the night. When not all of it has stopped, try again, with the same run id.
set -u
studio=${1:-demo-studio}
run_id="nightly-$(date +%F)"

for pause in 0 60 300; do
  sleep "$pause"
  nimble-stop stop "$studio" --all --wait --deadline 1800 --run-id "$run_id" && exit 0
done
exit 1

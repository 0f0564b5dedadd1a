#!/usr/bin/env bash
# A real grpcurl against a running server: lists, describes, opens a feed, gets a batch, its views and a plan.
#
#   grpcurl_test.sh HOST:PORT     (MIXFEED_GRPCURL names the program; "grpcurl" without it)
set -euo pipefail
address=$1
grpcurl=${MIXFEED_GRPCURL:-grpcurl}
command -v "$grpcurl" >/dev/null || { echo "skipped: no grpcurl here; tests/run.sh installs one"; exit 77; }
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

call() { "$grpcurl" -plaintext "$@"; }
expect() {  # words, then a command whose output must have them
  local words=$1
  shift
  "$@" >"$answer" || { cat "$answer"; echo "failed: $*" >&2; exit 1; }
  grep -qF "$words" "$answer" || { cat "$answer"; echo "no '$words' in the output of: $*" >&2; exit 1; }
}

for service in mixfeed.v1.FeedService mixfeed.v1.ModelService mixfeed.v1.InspectService grpc.health.v1.Health; do
  expect "$service" call "$address" list
done
expect '"SERVING"' call "$address" grpc.health.v1.Health/Check
expect '"SERVING"' call -d '{"service": "mixfeed.v1.FeedService"}' "$address" grpc.health.v1.Health/Check
expect 'rpc GetBatch' call "$address" describe mixfeed.v1.FeedService
expect 'message FeedSpec' call "$address" describe mixfeed.v1.FeedSpec
expect feed_id call -d '{"spec": {"recipe": {"preset": "mixup"}, "batch": 4}, "run": "grpcurl"}' "$address" mixfeed.v1.FeedService/OpenFeed
feed=$(sed -n 's/.*"feed_id": "\([0-9a-f]*\)".*/\1/p' "$answer")
expect pixels call -d "{\"feedId\": \"$feed\", \"step\": 5, \"format\": {\"type\": \"UINT8\"}}" "$address" mixfeed.v1.FeedService/GetBatch
grep -qF '"step": "5"' "$answer"
expect pixels call -d "{\"feedId\": \"$feed\", \"step\": 5}" "$address" mixfeed.v1.FeedService/GetViews
grep -qF '"images": 4' "$answer"
expect crop_y call -d "{\"feedId\": \"$feed\", \"step\": 5}" "$address" mixfeed.v1.InspectService/GetPlan
expect "$feed" call "$address" mixfeed.v1.InspectService/ListFeeds
echo "grpcurl: lists, describes, opens, gets a batch, its views and a plan"

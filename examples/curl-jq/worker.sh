#!/usr/bin/env bash
# A worker in curl and jq: receives, works, acks what worked and nacks what did not.
#
#   MILLRACE_TOKEN=… examples/curl-jq/worker.sh shipping
set -uo pipefail

consumer=${1:?name a consumer}
api=${MILLRACE_URL:-http://127.0.0.1:4400}/v1/consumers/$consumer

# What a message is worth: replace it. Fails for an order that it cannot handle.
work() {
  jq -er 'select(.record.quantity > 0) | "order \(.record.id): \(.record.quantity) pieces"'
}

call() {
  # Not --fail: a lost lease answers 207 with a body that says so.
  curl --silent --show-error --max-time 60 --retry 5 --retry-connrefused \
    -H "authorization: Bearer ${MILLRACE_TOKEN:?}" -H 'content-type: application/json' \
    --data "$2" "$api/$1"
}

# A signal ends the loop between two receives: nothing that was received is left lying.
running=1
trap 'running=0' TERM INT

while [ "$running" = 1 ]; do
  # In the background, as bash handles signals only then; the wait ends with the first one.
  answer=$(mktemp)
  call receive '{"batch_size": 10, "wait_for": "20s"}' >"$answer" &
  receiving=$!
  if ! wait "$receiving"; then
    [ "$running" = 1 ] || kill "$receiving" 2>/dev/null
    rm -f "$answer"
    [ "$running" = 1 ] && sleep 1
    continue
  fi
  if ! jq -e .data "$answer" >/dev/null; then
    # A token that was revoked, a consumer that is gone: trying again does not help.
    jq -r '.detail // .' "$answer" >&2
    rm -f "$answer"
    exit 1
  fi
  acks=() nacks=()
  while IFS= read -r message; do
    id=$(jq -c '{ack_id}' <<<"$message")
    if work <<<"$message"; then acks+=("$id"); else nacks+=("$id"); fi
  done < <(jq -c '.data[]' "$answer")
  rm -f "$answer"
  if [ $((${#acks[@]} + ${#nacks[@]})) -gt 0 ]; then
    body=$(jq -n --slurpfile acks <(printf '%s\n' "${acks[@]}") \
      --slurpfile nacks <(printf '%s\n' "${nacks[@]}") '{acks: $acks, nacks: $nacks}')
    call settle "$body" >/dev/null
  fi
done

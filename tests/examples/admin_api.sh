#!/bin/sh
# Seeds, steers and reads an embedded endpoint over its admin API, with nothing but curl.
#
# `nimble-stop serve` prints the address, as AWS_ENDPOINT_URL_NIMBLE.
set -eu

admin=$AWS_ENDPOINT_URL_NIMBLE/_nimble-stop

# ask METHOD PATH [JSON]: send a request and print the answer; an error ends the script.
ask() {
  if [ $# -gt 2 ]; then
    curl --silent --show-error --fail-with-body --request "$1" "$admin/$2" \
      --header 'Content-Type: application/json' --data "$3"
  else
    curl --silent --show-error --fail-with-body --request "$1" "$admin/$2"
  fi
}

# expect TEXT: check that what is read holds a text.
expect() {
  answer=$(cat)
  case $answer in
    *"$1"*) ;;
    *)
      printf 'Expected %s in: %s\n' "$1" "$answer" >&2
      exit 1
      ;;
  esac
}

# status METHOD PATH: print the status of an answer.
status() {
  curl --silent --output /dev/null --write-out '%{http_code}' --request "$1" "$admin/$2"
}

ask GET health | expect '"status": "ok"'
ask GET openapi.json | expect '"openapi": "3.1.0"'

# An endpoint without sessions, faults and requests, and with the machine's time.
ask DELETE state

# Sessions: one, several, read, complete, delete.
ask POST sessions '{"studioId": "studio-1", "sessionId": "artist-1"}' | expect '"state": "READY"'
ask POST sessions '[
  {"studioId": "studio-1", "sessionId": "artist-2", "state": "STOP_IN_PROGRESS", "transition": {
    "state": "STOPPED", "statusCode": "STREAMING_SESSION_STOPPED", "statusMessage": "", "due": null}},
  {"studioId": "studio-1", "sessionId": "artist-3", "tags": {"project": "northern-lights"}}
]' | expect 'northern-lights'
ask GET sessions/studio-1/artist-2 | expect '"state": "STOP_IN_PROGRESS"'
ask POST sessions/studio-1/artist-2/complete | expect '"state": "STOPPED"'
ask DELETE sessions/studio-1/artist-3
[ "$(status GET sessions/studio-1/artist-3)" = 404 ]
ask GET 'sessions?studioId=studio-1&state=STOPPED' | expect 'artist-2'

# Faults: added as in a fault file, listed with what is left of them, removed by their number.
fault=$(ask POST faults '{"fault": "ServiceFailure", "code": "ThrottlingException", "times": 2}')
printf '%s' "$fault" | expect '"left": 2'
ask GET faults | expect 'ThrottlingException'
id=$(printf '%s' "$fault" | sed 's/.*"id": \([0-9]*\).*/\1/')
ask DELETE "faults/$id"
ask GET faults | expect '"faults": []'

# The journal: a request without a signature is refused, and is found by its error code.
curl --silent --output /dev/null "$AWS_ENDPOINT_URL_NIMBLE/2020-08-01/studios/studio-1/streaming-sessions"
ask GET 'requests?errorCode=MissingAuthenticationTokenException&limit=1' | expect 'studio-1'
ask DELETE requests
ask GET requests | expect '"requests": []'

# The clock.
ask POST clock '{"advance": 3600}' | expect '"skippedSeconds": 3600'
ask GET clock | expect '"skippedSeconds": 3600'

# The state: exported, reset, imported.
state=$(ask GET state)
ask DELETE state
ask GET sessions | expect '"sessions": []'
ask PUT state "$state"
ask GET sessions/studio-1/artist-1 | expect '"state": "READY"'

# Events since the beginning; curl ends after a second, because the stream does not.
curl --silent --max-time 1 "$admin/events?after=0" | expect 'event: sessions'

# Errors say what is allowed.
curl --silent "$admin/sesions" | expect 'GET /_nimble-stop/sessions'
curl --silent "$admin/sessions?stat=READY" | expect "did you mean 'state'?"
curl --silent --data '{}' "$admin/sessions" | expect 'application/json'

echo 'Everything works.'

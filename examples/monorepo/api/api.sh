#!/bin/sh
# A service in one line: reads a name from standard input, answers in JSON.
set -eu
. lib/greeting.sh
read -r name
printf '{"text": "%s"}\n' "$(greeting "$name")"

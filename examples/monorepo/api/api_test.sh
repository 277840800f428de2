#!/bin/sh
set -eu
[ "$(echo reader | sh api/api.sh)" = '{"text": "Hello, reader"}' ]
echo "api: 1 check passed"

#!/bin/sh
set -eu
. lib/greeting.sh
[ "$(greeting)" = "Hello, world" ]
[ "$(greeting you)" = "Hello, you" ]
echo "lib: 2 checks passed"

#!/bin/sh
# Makes index.html from its template.
set -eu
. lib/greeting.sh
sed "s/@GREETING@/$(greeting reader)/" web/index.html.in > web/index.html

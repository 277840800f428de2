#!/bin/sh
# Stands for a server that is busy until attempt number $1. 75 is EX_TEMPFAIL of sysexits.h: try again later.
set -eu
if [ "$CI_STEP_ATTEMPT" -lt "$1" ]; then
    echo "attempt $CI_STEP_ATTEMPT: busy" >&2
    exit 75
fi
echo "release 7" > release.txt
echo "attempt $CI_STEP_ATTEMPT: got $(cat release.txt)"

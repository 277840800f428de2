#!/bin/sh
set -u
total=0
for price in "$@"; do
    total=$((total + price))
done
echo "$total"
case $total in
    -*) echo "less than nothing" >&2 ;;
esac

#!/bin/sh
# primes.sh CACHE LIMIT: how many primes there are below LIMIT; computed once for each LIMIT.
set -eu
result="$1/below-$2"
if [ -e "$result" ]; then
    echo "known: $(cat "$result") primes below $2"
    exit
fi
awk -v limit="$2" 'BEGIN {
    for (n = 2; n < limit; n++) {
        for (d = 2; d * d <= n && n % d; d++);
        if (d * d > n) count++
    }
    print count
}' > "$result.new"
mv "$result.new" "$result"
echo "computed: $(cat "$result") primes below $2"

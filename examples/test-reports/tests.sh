#!/bin/sh
# A test runner in a few lines: JUnit's XML of the checks, LCOV's tracefile of the lines of cart.sh. tests.sh FOLDER
set -u
mkdir -p "$1"
failures=0

check() { # NAME EXPECTED COMMAND...
    name=$1 expected=$2
    shift 2
    got=$("$@")
    if [ "$got" = "$expected" ]; then
        echo "  <testcase classname=\"cart\" name=\"$name\" file=\"tests.sh\"/>"
    else
        failures=$((failures + 1))
        echo "  <testcase classname=\"cart\" name=\"$name\" file=\"tests.sh\"><failure message=\"$got is not $expected\"/></testcase>"
    fi
}

{
    echo '<testsuite name="cart">'
    check "an empty cart costs nothing" 0 sh cart.sh
    check "three apples" 30 sh cart.sh 10 10 10
    echo '</testsuite>'
} > "$1/junit.xml"

printf '%s\n' SF:cart.sh DA:3,2 DA:5,3 DA:7,2 DA:9,0 end_of_record > "$1/lcov.info"
exit "$failures"

#!/bin/sh
# The lock on a server, /run/amc/lock: one run at a time works here, whoever started it from wherever.
#   take RUN ATTEMPT BY INSTEAD    RUN's from now on; RUN "": only look. INSTEAD: a run that is over, or ""
#   release RUN                    nobody's, if it is RUN's
#   stop RUN                       end RUN's units, then release; says what was ended
# Exit code 75 with the lock (one line of JSON) on stdout when another run has it; what is wrong on stderr.
set -eu
folder=/run/amc lock=/run/amc/lock
verb=$1 run=$2

field() { sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p" "$lock" 2>/dev/null || true; }
units() { # the units of a run that are at work, or about to be
    [ -d /run/systemd/system ] || return 0
    systemctl list-units --all --plain --no-legend "amc-$1-*" |
        awk '$3 == "active" || $3 == "activating" || $3 == "reloading" || $3 == "deactivating" { print $1 }'
}
clean() { printf %s "$1" | tr -cd 'A-Za-z0-9@._:/-'; }

mkdir -p "$folder"
exec 9>"$folder/.guard"
flock 9

case $verb in
take)
    owner=$(field run)
    if [ -n "$owner" ] && [ "$owner" != "$run" ]; then
        left=$(units "$owner")
        if [ "$5" != "$owner" ] || [ -n "$left" ]; then
            cat "$lock"
            [ -z "$left" ] || printf "its unit %s is at work\n" "$left" >&2
            exit 75
        fi
    fi
    if [ -n "$run" ]; then
        held=0
        [ "$owner" != "$run" ] || held=$(field attempt)
        if [ "${held:-0}" -gt "$3" ]; then
            cat "$lock"
            exit 75
        fi
        printf '{"run": "%s", "attempt": "%s", "since": "%s", "by": "%s"}\n' \
            "$(clean "$run")" "$(clean "$3")" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$(clean "$4")" >"$folder/.lock"
        mv "$folder/.lock" "$lock"
    fi
    ;;
release) [ "$(field run)" != "$run" ] || rm -f "$lock" ;;
stop)
    for unit in $(units "$run"); do
        systemctl stop -- "$unit" || true
        echo "$unit"
    done
    left=$(units "$run")
    if [ -n "$left" ]; then
        printf "%s can't be ended\n" "$left" >&2
        exit 1
    fi
    [ "$(field run)" != "$run" ] || rm -f "$lock"
    ;;
esac

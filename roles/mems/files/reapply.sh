#!/bin/sh
# reapply NAME COMMAND FILE...: runs COMMAND unless the FILES are those with which it last ended well; says whether.
# reapply --look NAME COMMAND FILE...: only says.
# A handler is lost with the run that was to call it; this makes a deploy that was killed good at the next one.
set -eu
look=
if [ "$1" = --look ]; then
    look=1
    shift
fi
stamp=/var/lib/mems/applied/$1
command=$2
shift 2
now=$(sha256sum -- "$@")
if [ "$now" = "$(cat "$stamp" 2>/dev/null)" ]; then
    echo unchanged
    exit 0
fi
if [ -z "$look" ]; then
    sh -c "$command"
    mkdir -p "$(dirname "$stamp")"
    printf '%s\n' "$now" >"$stamp.part"
    mv "$stamp.part" "$stamp"
fi
echo changed

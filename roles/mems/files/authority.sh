#!/bin/sh
# The customer's private certificate authority, on the controller.
#
#   authority.sh make FOLDER NAME            key and certificate of the authority, where there are none
#   authority.sh sign FOLDER DAYS NAME...    request on stdin -> certificate for these names and addresses on stdout
#   authority.sh client FOLDER DAYS NAME     the same for a client that logs in as this name; no server's certificate
#
# Names come from the inventory, never from the request: a server gets no certificate for another one.
set -eu
umask 077
verb=$1 folder=$2
shift 2
mkdir -p "$folder"
exec 9>"$folder/lock"
flock -w 60 9
case $verb in
make)
    [ ! -e "$folder/ca.pem" ] || exit 0
    openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 -sha256 \
        -subj "/CN=M EMS private CA of $1" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$folder/ca.key.part" -out "$folder/ca.pem.part" 2>/dev/null
    mv "$folder/ca.key.part" "$folder/ca.key"
    mv "$folder/ca.pem.part" "$folder/ca.pem"
    ;;
sign | client)
    days=$1
    shift
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cat >"$work/request.pem"
    names='' use=serverAuth
    [ "$verb" = sign ] || use=clientAuth
    for name in "$@"; do
        case $name in *:*) kind=IP ;; *[!0-9.]*) kind=DNS ;; *) kind=IP ;; esac
        names="$names${names:+,}$kind:$name"
    done
    printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
        "extendedKeyUsage=$use" "subjectAltName=$names" >"$work/extensions"
    openssl x509 -req -in "$work/request.pem" -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -sha256 \
        -days "$days" -extfile "$work/extensions" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
    ;;
*)
    echo "authority.sh: unknown verb $verb" >&2
    exit 2
    ;;
esac

#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# http jobs under a real daemon, against nginx with the documents of PokeAPI and a server that does odd things.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
. "$TAKT_SRCDIR/tests/behaviour/nginx.sh"
archive=
for d in "$TAKT_SRCDIR/../shared/data" "${TAKT_TEST_DATA:-/nonexistent}"; do
        [ -n "$archive" ] || [ ! -e "$d/pokeapi.tar.xz" ] || archive=$d/pokeapi.tar.xz
done
if [ -z "$archive" ] || ! PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
        echo "no pokeapi.tar.xz in \$TAKT_TEST_DATA, or no nginx"
        exit 77
fi
mkdir "$dir/root"
tar -xJf "$archive" -C "$dir/root"
base=/pokeapi/api/v2/pokemon tail=/
start_nginx "$dir/nginx" "$dir/root"
helper "$NGINX_PID"
python3 "$TAKT_SRCDIR/tests/behaviour/odd-server.py" "$dir/odd-port" &
helper $!
eventually "the odd server" test -s "$dir/odd-port" || exit 1
odd=http://127.0.0.1:$(cat "$dir/odd-port") nginx=http://127.0.0.1:$NGINX_PORT

new_environment
# http_job NAME URL [KEYS]
http_job() {
        printf '[Job]\nType=http\n%b[Http]\nUrl=%s\n%b' "${4:-}" "$2" "${3:-}" | job "$1"
}
outputs='[Result]\nOutput=names: $[*].name\n'
http_job one "$nginx$base/25$tail" '[Result]\nOutput=name: $.name\n'
http_job serial "$nginx$base/\${random:1..251}$tail" "Requests=5\n$outputs"
http_job together "$nginx$base/\${random:1..251}$tail" "Requests=5\nConcurrency=0\n$outputs"
http_job absent "$nginx/absent"
http_job expected "$nginx/absent" 'Expect=404\n[Result]\nFormat=text\n'
http_job gzip "$odd/gzip" 'Compressed=yes\n'
http_job half "$odd/half"
http_job text "$odd/close-after" '[Result]\nFormat=text\n'
http_job json "$odd/close-after"
http_job large "$nginx$base/25$tail" 'MaxBytes=100\n'
http_job endless "$odd/endless" 'MaxBytes=64K\n'
http_job refused "http://127.0.0.1:$(free_port)/"
http_job never "$odd/never" '' 'TimeoutSec=1s\n'
http_job hung "$odd/never" '' '[Schedule]\nOverlap=parallel\n'
start_taktd

is "one document" "('succeeded', {'name': 'pikachu'})" "$(run_job 'r["state"], r["outputs"]' one)"
for name in serial together; do
        is "$name" "('succeeded', 5, True)" "$(run_job 'r["state"], len(r["result"]), len(r["outputs"]["names"]) == 5 and all(isinstance(n, str) for n in r["outputs"]["names"])' $name)"
done
is "404" "('failed', 'http-status', True)" "$(run_job 'r["state"], r["error"]["kind"], "404" in r["error"]["message"]' absent)"
is "expected 404" succeeded "$(run_job 'r["state"]' expected)"
is "gzip" "{'packed': True}" "$(run_job 'r["result"]' gzip)"
is "half a document" failed "$(run_job 'r["state"]' half)"
is "text" "('succeeded', 'bye')" "$(run_job 'r["state"], r["result"]' text)"
is "not JSON" "('failed', 'bad-json')" "$(run_job 'r["state"], r["error"]["kind"]' json)"
is "too large" "('failed', 'too-large')" "$(run_job 'r["state"], r["error"]["kind"]' large)"
is "endless" "('failed', 'too-large')" "$(run_job 'r["state"], r["error"]["kind"]' endless)"
is "refused" failed "$(run_job 'r["state"]' refused)"
is "a server that never answers" timeout "$(run_job 'r["state"]' never)"

# --- Conditional=: what the server said of one document is not asked of another ---
text='Conditional=yes\n[Result]\nFormat=text\n'
http_job tagged "$odd/tagged?a" "$text"
http_job day "$odd/tagged?\${which}" "$text" 'Parameter=which:string\n'
taktctl -q reload
seen='r["state"], r["result"], r["details"]["status"]'
is "a first answer" "('succeeded', 'newa', 200)" "$(run_job "$seen" tagged)"
is "the same again" "('succeeded', 'newa', 304)" "$(run_job "$seen" tagged)"
http_job tagged "$odd/tagged?b" "$text"
taktctl -q reload
is "another Url=" "('succeeded', 'newb', 200)" "$(run_job "$seen" tagged)"
is "and that again" "('succeeded', 'newb', 304)" "$(run_job "$seen" tagged)"
http_job tagged "$odd/tagged?b" "Header=Accept: text/plain\n$text"
taktctl -q reload
is "another Header=" "('succeeded', 'newb', 200)" "$(run_job "$seen" tagged)"
is "a placeholder's first value" "('succeeded', 'newx', 200)" "$(run_job "$seen" day x)"
is "its second" "('succeeded', 'newy', 200)" "$(run_job "$seen" day y)"
is "and that again" "('succeeded', 'newy', 304)" "$(run_job "$seen" day y)"

# --- servers that hang delay no one else ---
for _ in $(seq 20); do
        taktctl run hung >"$dir/out"
done
is "one beside twenty that hang" succeeded "$(run_job 'r["state"]' one)"
is "those that hang" 20 "$(runs 'sum(r["state"] == "running" for r in rs)' hung)"
taktctl cancel hung >"$dir/out" 2>&1
taktctl wait hung >"$dir/out" 2>&1 || :
is "those that hung" 20 "$(runs 'sum(r["state"] == "cancelled" for r in rs)' hung)"
check_end

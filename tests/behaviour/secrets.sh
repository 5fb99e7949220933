#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a job knows to authenticate itself is told to the server or command, and to nobody else: logs on standard error
# and in the journal, errors, history, what every verb and page shows. The server and the commands say all of it back.
. "${TAKT_SRCDIR:?}/tests/behaviour/lib.sh"
python3 "$TAKT_SRCDIR/tests/behaviour/odd-server.py" "$dir/odd-port" &
helper $!
eventually "the odd server" test -s "$dir/odd-port" || exit 1
port=$(cat "$dir/odd-port")
odd=http://127.0.0.1:$port

new_environment
mkdir "$dir/credentials"
export CREDENTIALS_DIRECTORY=$dir/credentials
echo 'cred-Hush/1 %"x' >"$dir/credentials/api"
echo word-Hush >"$dir/credentials/word"
printf '%s\n' '-----BEGIN KEY-----' 'cred-Hush-line-2' 'cred-Hush-line-3' >"$dir/credentials/pem"
settings <<SETTINGS
[Daemon]
Listen=$dir/status
LogLevel=debug
SETTINGS

# Every secret holds "Hush", in whatever form it is sent; basic authentication hides it in these words.
basic() {
        printf %s "$1" | base64
}
hidden="Hush|hush|$(basic 'me:cred-Hush/1 %"x')|$(basic 'me:file-Hush-1')|$(basic 'u:url-Hush-1')"

http_job() {
        printf '[Job]\nType=http\n[Http]\nUrl=%s\n%b' "$2" "$3" | job "$1"
}
text='[Result]\nFormat=text\n'
http_job header "$odd/echo" "Header=Authorization: Bearer \${credential:api}\n$text"
http_job basic "$odd/echo" "Auth=basic\nUser=me\nSecret=\${credential:api}\n$text"
http_job query "$odd/echo" "Query=q=\${credential:api}\n$text"
http_job body "$odd/echo" "Json={\"key\": \"\${credential:api}\"}\n$text"
http_job file "$odd/echo" "Auth=basic\nUser=me\nSecret=file-Hush-1\n$text"
http_job headers "$odd/echo" 'Header=Cookie: sid=Hush-2\nHeader=X-Api-Key: Hush-3\nHeader=Authorization: Token Hush-4\n'"Header=Proxy-Authorization: Basic Hush-5\n$text"
http_job pairs "$odd/echo?keep=1" "Query=api_key=Hush-6\nForm=password=Hush-7\n$text"
http_job userinfo "http://u:url-Hush-1@127.0.0.1:$port/echo" "$text"
http_job moved "http://u:url-Hush-1@127.0.0.1:$port/moved" "MaxRedirects=3\n$text"
http_job proxied "http://nowhere.invalid/echo" "Proxy=http://u:url-Hush-1@127.0.0.1:$port\n$text"
http_job unproxied "http://nowhere.invalid/echo" 'Proxy=http://u:url-Hush-1@127.0.0.1:1\n'
http_job refused "http://u:url-Hush-1@127.0.0.1:1/?token=Hush-8" 'Header=Authorization: Hush-9\n'
http_job unexpected "$odd/echo" "Header=Authorization: Bearer \${credential:api}\nExpect=404\n"
http_job notjson "$odd/echo" "Header=Authorization: Bearer \${credential:api}\n"
http_job malformed "http://u:url-Hush-1@bad host/" ''
exec_job() {
        printf '[Job]\nType=exec\nLogSuccess=notice\n[Exec]\n%b' "$2" | job "$1"
}
exec_job says 'Command=/bin/sh -c "echo out $K; echo err $K >&2" x\nEnvironment=K=${credential:api}\n'
exec_job fails 'Command=/bin/sh -c "echo it is \\"$1\\" >&2; exit 3" x ${credential:api}\n'
exec_job json 'Command=/bin/cat\nOutput=json\nInput={"a": ["${credential:word}"]}\n'
exec_job outputs 'Command=/bin/cat\nOutput=json\nInput={"a": ["${credential:word}", 1]}\n[Result]\nOutput=a: $.a\n'
exec_job key 'Command=/bin/cat\nOutput=json\nInput={"${credential:word}": 1}\n'
exec_job lines 'Command=/bin/cat\nOutput=lines\nInput=${credential:pem}\n'
exec_job stderr 'Command=/bin/sh -c "cat >&2; exit 1"\nInput=${credential:pem}\n'
exec_job absent 'Command=/nonexistent/program ${credential:api}\nEnvironment=DB_PASSWORD=Hush-10\n'
exec_job literal 'Command=/bin/sh -c "echo $DB_PASSWORD; echo $DB_PASSWORD >&2; exit 1"\nEnvironment=DB_PASSWORD=Hush-11\n'
exec_job pooled 'Command=/bin/sh -c "while read -r l; do echo pool $K >&2; echo $K; done"\nStartMethod=pool\nProtocol=lines\nEnvironment=K=${credential:api}\n'
exec_job file-pool 'Command=/bin/sh -c "while read -r l; do echo file-pool $API_TOKEN >&2; echo $API_TOKEN; done"\nStartMethod=pool\nProtocol=lines\nEnvironmentFile=secret.env\n'
exec_job from-file 'Command=/bin/sh -c "echo $API_TOKEN; echo from-file $API_TOKEN >&2"\nEnvironmentFile=secret.env\n'
echo 'API_TOKEN="token-Hush-14"' >"$dir/env/secret.env"
printf '[Job]\nType=worker\n[Worker]\nCommand=/bin/sh -c "echo worker $K >&2; echo \\"$K\\""\nEnvironment=K=${credential:word}\n' | job worked
exec_job publish 'Command=/bin/cat\nInput=${credential:api}\n[Publish]\nFile=published.json\n'

# A broken file, whose words are not repeated.
broken() {
        echo 'Header=Authorization Hush-12' >>"$dir/env/jobs/basic.job"
        sed -i 's/^Environment=.*/Environment=Hush-13/' "$dir/env/jobs/says.job"
        { taktctl reload || :; taktctl verify "$dir"/env/jobs/*.job || :; } >"$dir/shown" 2>&1
        look "a broken file" "$dir/shown"
        grep -q 'is not of the form NAME=VALUE' "$dir/shown" || fail "a broken file: $(cat "$dir/shown")"
}

# A stand-in for the journal's socket, where one can be put in its place.
journal=$dir/journal
mkdir "$journal"
python3 - "$journal/socket" "$dir/journal.log" <<'PYTHON' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "wb", buffering=0) as log:
    while True:
        log.write(s.recv(1 << 20))
PYTHON
helper $!

names=$(cd "$dir/env/jobs" && for f in *.job; do echo "${f%.job}"; done)
look() {
        local what=$1
        if grep -aEn "$hidden" "$2" >"$dir/found"; then
                fail "$what tells a secret: $(head -c 400 "$dir/found")"
        fi
}

# all_of_it: runs every job, and looks at everything that there is to look at
all_of_it() {
        local name verb
        taktctl watch --json >"$dir/watched" &
        helper $!
        eventually "the watcher" grep -q live "$dir/watched"
        for name in $names; do
                taktctl run --wait "$name" >"$dir/run.$name" 2>&1 || :
                look "run --wait $name" "$dir/run.$name"
        done
        eventually "all is watched" grep -q '"job":"userinfo".*"state":"' "$dir/watched"
        look watch "$dir/watched"
        for verb in list status 'status *' 'show *' 'cat *' 'runs -n 1000' 'next *' info; do
                # shellcheck disable=SC2086
                (set -f; taktctl $verb; taktctl --json $verb) >"$dir/shown" 2>&1 || :
                look "$verb" "$dir/shown"
        done
        for name in $names; do
                { taktctl result "$name" || :; taktctl --json result "$name" || :; } >"$dir/shown" 2>&1
                look "result $name" "$dir/shown"
        done
        python3 - "$dir/status" >"$dir/shown" <<'PYTHON'
import socket, sys
for path in ("/metrics", "/healthz"):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    while data := s.recv(65536):
        sys.stdout.write(data.decode())
PYTHON
        look "the status pages" "$dir/shown"
        look "the published file" "$dir/env/published.json"
}

start_taktd
all_of_it
for word in pool worker file-pool from-file; do
        grep -q "$word \*\*\*" "$log" || fail "the log has no lines of $word: $(grep "$word" "$log")"
done
is "what is known of a run" "('failed', 'exit-status', 'exit status 3: it is ***')" \
        "$(run_job 'r["state"], r["error"]["kind"], r["error"]["message"]' fails)"
is "the rest of a result" "{'a': ['***']}" "$(run_job 'r["result"]' json)"
like "what a server heard" "*Authorization: \*\*\**" "$(taktctl result header)"
like "the URL of a run" "*http://127.0.0.1:$port/echo*" "$(taktctl runs --json -n 1 userinfo)"
(cd "$dir/env" && takt-run jobs/fails.job; takt-run jobs/header.job) >"$dir/shown" 2>&1 || :
look takt-run "$dir/shown"
grep -q 'it is \*\*\*' "$dir/shown" || fail "takt-run: $(cat "$dir/shown")"
stop_taktd
look "the log" "$log"
grep -q 'err \*\*\*' "$log" || fail "the log has no lines of commands: $(head -c 400 "$log")"

# shellcheck disable=SC2016
in_place='mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind "$1" /run/systemd/journal && shift && exec "$@"'
if unshare -m sh -c "$in_place" sh "$journal" true 2>"$dir/shown"; then
        unshare -m sh -c "$in_place" sh "$journal" taktd --log-target journal >"$log" 2>&1 &
        taktd_pid=$!
        eventually "the daemon answers" answers
        all_of_it
        broken
        stop_taktd
        eventually "the journal" grep -aq 'err \*\*\*' "$dir/journal.log"
        look "the journal" "$dir/journal.log"
        eventually "fields" grep -aq '^TAKT_ENV=env' "$dir/journal.log"
else
        echo "the journal's socket can't be replaced here: $(cat "$dir/shown")"
fi
check_end

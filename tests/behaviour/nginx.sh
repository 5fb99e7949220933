# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced. An nginx of a test's own, on a free loopback port and a UNIX socket.

# free_port: prints a port that nobody listens on right now.
free_port() {
        python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_nginx DIR ROOT [tls]: keeps its files in DIR and serves ROOT. Sets NGINX_PID, NGINX_PORT, with tls
# NGINX_TLS_PORT too; DIR/nginx.sock is the socket, DIR/cert.pem a certificate for localhost.
start_nginx() {
        local dir=$1 root=$2 tls='' try i
        mkdir -p "$dir"
        for try in 1 2 3 4 5; do
                NGINX_PORT=$(free_port)
                if [ "${3:-}" = tls ]; then
                        NGINX_TLS_PORT=$(free_port)
                        tls="listen 127.0.0.1:$NGINX_TLS_PORT ssl http2; ssl_certificate $dir/cert.pem;"
                        tls="$tls ssl_certificate_key $dir/key.pem;"
                        [ -e "$dir/cert.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
                                -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                                -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
                fi
                sed -e "s|@DIR@|$dir|g" -e "s|@PORT@|$NGINX_PORT|g" -e "s|@ROOT@|$root|g" -e "s|@TLS@|$tls|g" \
                        "$TAKT_SRCDIR/tests/behaviour/nginx.conf.in" >"$dir/nginx.conf"
                rm -f "$dir/nginx.sock"
                PATH=$PATH:/usr/sbin nginx -e "$dir/error.log" -p "$dir" -c "$dir/nginx.conf" 2>/dev/null &
                NGINX_PID=$!
                for i in $(seq 200); do
                        curl -s -o "$dir/ready" "http://127.0.0.1:$NGINX_PORT/" && return 0
                        kill -0 $NGINX_PID 2>/dev/null || break # the port was taken meanwhile
                        sleep 0.05
                done
                kill $NGINX_PID 2>/dev/null
                wait $NGINX_PID 2>/dev/null
        done
        echo "nginx does not start:" >&2
        cat "$dir/error.log" >&2
        return 1
}

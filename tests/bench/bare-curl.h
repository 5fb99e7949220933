/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What curl's multi interface does with nothing around it: the peer of the HTTP benchmarks. */

#include "base/clock.h"

/*
 * GETs of URL, PARALLEL at a time, until END; returns how many. SOCKETS: by curl_multi_socket_action()
 * on an epoll of its own, else by curl_multi_poll(). Any failure ends the program.
 */
unsigned long bare_curl(const char *url, unsigned parallel, bool sockets, usec_t end_boottime);

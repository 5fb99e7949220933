/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/loopback.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "base/string-util.h"

/* The longest name that a socket has in its directory: its address is /proc/self/fd/NUMBER/NAME. */
#define SOCKET_NAME_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof("/proc/self/fd/2147483647/"))

static int refuse(const char *problem, size_t offset, const char **ret_problem, size_t *ret_offset)
{
        *ret_problem = problem;
        *ret_offset = offset;
        return -EINVAL;
}

static int parse_path(const char *s, LoopbackAddress *ret, const char **ret_problem, size_t *ret_offset)
{
        const char *name = strrchr(s, '/') + 1;

        if (*name == '\0')
                return refuse("the path of a UNIX socket ends with its name", (size_t)(name - s), ret_problem, ret_offset);
        if (strlen(name) > SOCKET_NAME_MAX)
                return refuse("the name of the UNIX socket is too long", (size_t)(name - s), ret_problem, ret_offset);
        *ret = (LoopbackAddress){ .is_path = true };
        return 0;
}

static int parse_host(const char *host, LoopbackAddress *ret, const char **ret_problem)
{
        struct in6_addr ipv6;
        struct in_addr ipv4;
        bool is_ipv4 = inet_pton(AF_INET, host, &ipv4) == 1, is_ipv6 = inet_pton(AF_INET6, host, &ipv6) == 1;

        if (streq(host, "localhost")) {
                ipv4.s_addr = htonl(INADDR_LOOPBACK);
                *ret = (LoopbackAddress){ .has_ipv4 = true, .has_ipv6 = true, .ipv4 = ipv4 };
        } else if (is_ipv4 && ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET) {
                *ret = (LoopbackAddress){ .has_ipv4 = true, .ipv4 = ipv4 };
        } else if (is_ipv6 && IN6_IS_ADDR_LOOPBACK(&ipv6)) {
                *ret = (LoopbackAddress){ .has_ipv6 = true };
        } else {
                *ret_problem = is_ipv4 || is_ipv6 ? "only loopback addresses are listened on" :
                                                    "the host is neither localhost nor a loopback address";
                return -EINVAL;
        }
        return 0;
}

int loopback_address_parse(const char *s, LoopbackAddress *ret, const char **ret_problem, size_t *ret_offset)
{
        const char *colon = strrchr(s, ':');
        size_t n = colon ? (size_t)(colon - s) : 0;
        bool brackets = n >= 2 && s[0] == '[' && s[n - 1] == ']';
        char host[INET6_ADDRSTRLEN] = "";
        uint64_t port;
        int r;

        if (strchr(s, '/'))
                return parse_path(s, ret, ret_problem, ret_offset);
        if (!colon)
                return refuse("an address is HOST:PORT or the path of a UNIX socket, which has a '/'", 0, ret_problem, ret_offset);
        if (parse_uint64(colon + 1, &port) < 0 || port > UINT16_MAX)
                return refuse("a port is a number up to 65535", n + 1, ret_problem, ret_offset);
        if (!brackets && memchr(s, ':', n))
                return refuse("an IPv6 address stands in brackets", 0, ret_problem, ret_offset);
        (void)snprintf(host, sizeof(host), "%.*s", (int)(brackets ? n - 2 : MIN(n, sizeof(host))), s + brackets);
        r = parse_host(host, ret, ret_problem);
        if (r < 0)
                return refuse(*ret_problem, 0, ret_problem, ret_offset);
        ret->port = (uint16_t)port;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listening and what all connections share. One descriptor is kept in reserve: with none left, a
 * listening socket stays readable and would be tried again and again, so that the newcomer is let
 * in on the reserve and turned away at once.
 */
#include "varlink/server.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "varlink/connection.h"

#define ACCEPTS_A_TURN 32
#define LISTEN_PAUSE (100 * USEC_PER_MSEC) /* where accept fails for want of what others must give back */
#define GROUPS_MAX 65536                   /* NGROUPS_MAX of the kernel */

typedef struct Peer {
        struct ucred cred;
        gid_t *groups;
        size_t n_groups;
} Peer;

static void on_listen(IoSource *source, int fd, unsigned events, void *userdata);
static void on_listen_pause(Timer *timer, usec_t now_boottime);

static usec_t now_boottime(const VarlinkServer *server)
{
        return clock_boottime(loop_clock(server->loop));
}

static int open_reserve(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void varlink_server_set_limits(VarlinkServer *server, const VarlinkLimits *limits)
{
        server->limits = (VarlinkLimits){
                .max_connections = limits->max_connections ?: VARLINK_MAX_CONNECTIONS,
                .max_connections_per_uid = limits->max_connections_per_uid ?: VARLINK_MAX_CONNECTIONS_PER_UID,
                .max_message = limits->max_message ?: VARLINK_MAX_MESSAGE,
                .max_queue = limits->max_queue ?: VARLINK_MAX_QUEUE,
                .max_held = limits->max_held ?: VARLINK_MAX_HELD,
        };
}

int varlink_server_new(Loop *loop, const VarlinkServiceInfo *info, const VarlinkLimits *limits, VarlinkServer **ret)
{
        _cleanup_(varlink_server_freep) VarlinkServer *server = new0(VarlinkServer, 1);
        int r;

        if (!server)
                return -ENOMEM;
        server->loop = loop;
        server->info = *info;
        varlink_server_set_limits(server, limits ?: &(VarlinkLimits){});
        list_init(&server->connections);
        server->listen_fd = -1;
        server->listen_pause.callback = on_listen_pause;
        server->reserve_fd = open_reserve();
        if (server->reserve_fd < 0)
                return negative_errno();
        r = varlink_service_add(server);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(server);
        return 0;
}

static void served_interface_deinit(ServedInterface *interface)
{
        varlink_interface_free(interface->description);
        for (size_t i = 0; i < interface->n_methods; i++)
                served_method_deinit(&interface->methods[i]);
        free(interface->methods);
}

VarlinkServer *varlink_server_free(VarlinkServer *server)
{
        VarlinkConnection *connection;

        if (!server)
                return NULL;
        varlink_server_stop_listening(server);
        while ((connection = list_first(&server->connections, VarlinkConnection, connections)))
                varlink_connection_free(connection);
        for (size_t i = 0; i < server->n_interfaces; i++)
                served_interface_deinit(&server->interfaces[i]);
        free(server->interfaces);
        varlink_method_table_deinit(&server->methods);
        varlink_accounts_deinit(&server->accounts);
        free(server->spare_call);
        json_doc_free(server->spare_doc);
        safe_close(server->reserve_fd);
        free(server);
        return NULL;
}

size_t varlink_server_n_connections(const VarlinkServer *server)
{
        return server->n_connections;
}

/* --- interfaces --- */

const ServedInterface *varlink_server_find_interface(const VarlinkServer *server, const char *name, size_t n)
{
        for (size_t i = 0; i < server->n_interfaces; i++) {
                const ServedInterface *interface = &server->interfaces[i];

                if (interface->name_len == n && memcmp(interface->name, name, n) == 0)
                        return interface;
        }
        return NULL;
}

/* Pairs the rows of the table with the methods of the text, one to one. */
static int match_methods(ServedInterface *interface, const VarlinkMethod *methods, void *userdata)
{
        const VarlinkMember *members;
        size_t n_members, n_described = 0, n = 0;
        int r;

        members = varlink_interface_members(interface->description, &n_members);
        for (size_t i = 0; i < n_members; i++)
                n_described += members[i].kind == VARLINK_MEMBER_METHOD;
        while (methods[n].name)
                n++;
        if (n != n_described)
                return -ENOTTY;
        interface->methods = new0(ServedMethod, n + 1);
        if (!interface->methods)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const char *name = startswith(methods[i].name, interface->name);
                const VarlinkMember *member = NULL;

                if (name && *name == '.')
                        member = varlink_interface_find(
                                interface->description, VARLINK_MEMBER_METHOD, name + 1, strlen(name + 1));
                for (size_t k = 0; k < i && member; k++)
                        if (interface->methods[k].member == member)
                                member = NULL;
                if (!member)
                        return -ENOTTY;
                r = served_method_init(&interface->methods[i], &methods[i], member, userdata);
                if (r < 0)
                        return r;
                interface->n_methods++;
        }
        return 0;
}

int varlink_server_add_interface(
        VarlinkServer *server, const char *text, const VarlinkMethod *methods, void *userdata)
{
        ServedInterface interface = {}, *interfaces;
        int r;

        r = varlink_interface_parse(text, strlen(text), &interface.description, NULL);
        if (r < 0)
                return r;
        interface.name = varlink_interface_name(interface.description);
        interface.name_len = strlen(interface.name);
        if (varlink_server_find_interface(server, interface.name, interface.name_len))
                r = -EEXIST;
        if (r >= 0)
                r = match_methods(&interface, methods, userdata);
        if (r >= 0) {
                interfaces = reallocarray(server->interfaces, server->n_interfaces + 1, sizeof(*interfaces));
                if (interfaces)
                        server->interfaces = interfaces;
                else
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = varlink_method_table_add(&server->methods, interface.methods, interface.n_methods);
        if (r < 0) {
                served_interface_deinit(&interface);
                return r;
        }
        server->interfaces[server->n_interfaces++] = interface;
        return 0;
}

/* --- peers --- */

void varlink_server_log_refusal(VarlinkServer *server, const struct ucred *peer, const char *reason, const char *detail)
{
        usec_t now = now_boottime(server);
        VarlinkAccount *account = varlink_accounts_get(&server->accounts, peer->uid, now);
        char others[64] = "";
        unsigned n_silent = 0;

        if (!account || !varlink_account_may_log(account, now, &n_silent))
                return;
        if (n_silent > 0)
                (void)snprintf(others, sizeof(others), " (and %u others before)", n_silent);
        log_notice("Refused uid %u, process %d: %s%s%s%s", peer->uid, peer->pid, reason, detail ? ": " : "",
                   detail ?: "", others);
}

/* The groups stay empty where the kernel can't tell them: that is the lesser authority. */
static void read_groups(int fd, Peer *peer)
{
        socklen_t n = 32 * sizeof(gid_t);

        while (n <= GROUPS_MAX * sizeof(gid_t)) {
                gid_t *groups = realloc(peer->groups, n);

                if (!groups)
                        return;
                peer->groups = groups;
                if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0) {
                        peer->n_groups = n / sizeof(gid_t);
                        return;
                }
                /* The kernel has put into N how much it needs. */
                if (errno != ERANGE)
                        return;
        }
}

static unsigned ask_authority(VarlinkServer *server, int fd, const struct ucred *cred)
{
        Peer peer = { .cred = *cred };
        unsigned authority;

        if (!server->authorize)
                return UINT_MAX;
        read_groups(fd, &peer);
        authority = server->authorize(&peer.cred, server->authorize_userdata);
        free(peer.groups);
        return authority;
}

size_t varlink_peer_groups(const struct ucred *cred, const gid_t **ret)
{
        const Peer *peer = (const Peer *)(const void *)cred;

        _Static_assert(offsetof(Peer, cred) == 0, "a peer begins with its credentials");
        *ret = peer->groups;
        return peer->n_groups;
}

void varlink_server_set_authorize(VarlinkServer *server, VarlinkAuthorize authorize, void *userdata)
{
        VarlinkConnection *connection;

        server->authorize = authorize;
        server->authorize_userdata = userdata;
        list_foreach(connection, &server->connections, VarlinkConnection, connections)
                connection->authority = ask_authority(server, connection->fd, &connection->peer);
}

int varlink_server_add_fd(VarlinkServer *server, int fd)
{
        _cleanup_close_ int owned = fd;
        struct ucred peer;
        socklen_t n = sizeof(peer);
        VarlinkAccount *account;
        int r;

        r = fd_set_nonblocking(fd);
        if (r < 0)
                return r;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
                return negative_errno();
        account = varlink_accounts_get(&server->accounts, peer.uid, now_boottime(server));
        if (!account)
                return -ENOMEM;
        if (server->n_connections >= server->limits.max_connections) {
                varlink_server_log_refusal(server, &peer, "too many connections", NULL);
                return -EMFILE;
        }
        if (account->n_connections >= server->limits.max_connections_per_uid) {
                varlink_server_log_refusal(server, &peer, "too many connections of this user", NULL);
                return -EMFILE;
        }
        account->n_connections++;
        r = varlink_connection_new(server, fd, &peer, ask_authority(server, fd, &peer));
        TAKE_FD(owned);
        if (r < 0)
                varlink_accounts_get(&server->accounts, peer.uid, 0)->n_connections--;
        return r;
}

/* --- listening --- */

int varlink_server_listen_fd(VarlinkServer *server, int fd)
{
        _cleanup_close_ int owned = fd;
        int r;

        if (server->listen_io)
                return -EBUSY;
        r = fd_set_nonblocking(fd);
        if (r < 0)
                return r;
        r = io_source_new(server->loop, fd, IO_READ, on_listen, server, &server->listen_io);
        if (r < 0)
                return r;
        server->listen_fd = TAKE_FD(owned);
        return 0;
}

void varlink_server_stop_listening(VarlinkServer *server)
{
        server->listen_io = io_source_free(server->listen_io);
        server->listen_fd = safe_close(server->listen_fd);
        timer_disarm(loop_timers(server->loop), &server->listen_pause);
}

static void pause_listening(VarlinkServer *server)
{
        if (timer_arm_after(loop_timers(server->loop), &server->listen_pause, LISTEN_PAUSE) >= 0)
                (void)io_source_set_events(server->listen_io, 0);
}

static void on_listen_pause(Timer *timer, _unused_ usec_t now)
{
        VarlinkServer *server = container_of(timer, VarlinkServer, listen_pause);

        if (io_source_set_events(server->listen_io, IO_READ) < 0)
                pause_listening(server);
}

/* With no descriptor left. Whether a newcomer could be turned away. */
static bool turn_away(VarlinkServer *server)
{
        int fd;

        if (server->reserve_fd < 0)
                server->reserve_fd = open_reserve();
        if (server->reserve_fd < 0)
                return false;
        safe_close(server->reserve_fd);
        fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        safe_close(fd);
        server->reserve_fd = open_reserve();
        return fd >= 0;
}

static void on_listen(_unused_ IoSource *source, int listen_fd, _unused_ unsigned events, void *userdata)
{
        VarlinkServer *server = userdata;

        for (unsigned i = 0; i < ACCEPTS_A_TURN; i++) {
                int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0) {
                        /* What fails was logged, or is for want of memory, and is the newcomer's loss. */
                        (void)varlink_server_add_fd(server, fd);
                        continue;
                }
                if (errno == EAGAIN)
                        return;
                if (errno == EINTR || errno == ECONNABORTED)
                        continue;
                if ((errno == EMFILE || errno == ENFILE) && turn_away(server))
                        continue;
                return pause_listening(server);
        }
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon.h"

#include "base/file.h"
#include "base/log.h"
#include "base/socket.h"
#include "base/string-util.h"

/* FileDescriptorName= of the control socket. */
#define CONTROL_SOCKET_NAME "control"

static unsigned authorize(const struct ucred *peer, void *userdata)
{
        const Daemon *d = userdata;
        const gid_t *groups;
        size_t n = varlink_peer_groups(peer, &groups);

        return authority_of(&d->authority, peer->uid, peer->gid, groups, n);
}

static void apply_authority(Daemon *d)
{
        authority_init(&d->authority, d->settings, d->environment->socket);
        varlink_server_set_authorize(d->server, authorize, d);
}

static VarlinkLimits control_limits(const Settings *settings)
{
        return (VarlinkLimits){
                .max_connections = settings->max_connections,
                .max_connections_per_uid = settings->max_connections_per_user,
        };
}

void daemon_apply_control_settings(Daemon *d)
{
        const VarlinkLimits limits = control_limits(d->settings);

        varlink_server_set_limits(d->server, &limits);
        apply_authority(d);
}

static unsigned n_warnings(void *userdata)
{
        const Daemon *d = userdata;

        return d->n_warnings;
}

static unsigned refused_files(void *userdata)
{
        const Daemon *d = userdata;

        return d->n_refused;
}

static const char *state_problem(void *userdata)
{
        Daemon *d = userdata;

        return state_keeper_ask(d->state_keeper);
}

static const Settings *current_settings(void *userdata)
{
        const Daemon *d = userdata;

        return d->settings;
}

int daemon_open_control_socket(Daemon *d)
{
        const char *path = d->environment->socket;
        int fd = service_manager_take_listener(d->manager, CONTROL_SOCKET_NAME);

        if (fd == -EPROTOTYPE)
                return log_errno(LOG_ERR, fd, "The socket " CONTROL_SOCKET_NAME " that was passed is no listening UNIX stream socket");
        if (fd != -ENOENT)
                return fd < 0 ? log_errno(LOG_ERR, fd, "The socket that was passed can't be used: %m") : fd;
        /* All may connect, so that who may not do more is told so. */
        fd = unix_listen(path, 0666, &d->lock_fd);
        if (fd == -EADDRINUSE)
                return log_errno(LOG_ERR, fd, "Another taktd serves this environment at %s", path);
        return fd < 0 ? log_errno(LOG_ERR, fd, "%s can't be listened on: %m", path) : fd;
}

int daemon_listen_control(Daemon *d)
{
        static const VarlinkServiceInfo info = {
                .vendor = "takt", .product = "taktd", .version = PACKAGE_VERSION, .url = "https://takt.invalid/",
                .failed = "io.takt.Manager.Failed",
        };
        const VarlinkLimits limits = control_limits(d->settings);
        const ApiContext context = {
                .loop = d->engine.loop,
                .scheduler = d->engine.scheduler,
                .events = &d->engine.events,
                .store = d->engine.store,
                .changes = d->engine.changes,
                .environment = d->environment,
                .services = &d->engine.services,
                .started_realtime = d->engine.started_realtime,
                .settings = current_settings,
                .refused_files = refused_files,
                .n_warnings = n_warnings,
                .state_problem = state_problem,
                .reload = daemon_reload,
                .userdata = d,
        };
        int r;

        r = varlink_server_new(d->engine.loop, &info, &limits, &d->server);
        if (r >= 0)
                r = api_new(&context, d->server, &d->api);
        if (r < 0)
                return log_errno(LOG_ERR, r, "The control interface could not be made: %m");
        apply_authority(d);
        r = varlink_server_listen_fd(d->server, TAKE_FD(d->control_fd));
        return r < 0 ? log_errno(LOG_ERR, r, "%s can't be served: %m", d->environment->socket) : 0;
}

int daemon_listen_status(Daemon *d)
{
        const StatusContext context = {
                .scheduler = d->engine.scheduler, .spawner = d->engine.spawner, .pools = d->engine.pools, .timers = d->engine.services.timers,
                .loop = d->engine.loop, .started_boottime = clock_boottime(clock_system()),
        };
        _cleanup_free_ char *path = NULL;
        const char *problem = NULL;
        int r;

        if (!d->settings->listen)
                return 0;
        /* The path of a socket is one in the environment, which may be moved. */
        path = strchr(d->settings->listen, '/') ? path_join(d->environment->path, d->settings->listen) : strdup(d->settings->listen);
        if (!path)
                return -ENOMEM;
        r = status_new(&context, &d->status);
        if (r >= 0)
                r = http_server_new(d->engine.loop, path, status_routes, status_n_routes, d->status, &d->status_server, &problem);
        if (r < 0)
                return log_errno(LOG_ERR, r, "Listen=%s: %s", d->settings->listen, problem ?: strerror(-r));
        log_info("Status pages at %s", d->settings->listen);
        return 0;
}

void daemon_stop_status(Daemon *d)
{
        http_server_free(TAKE_PTR(d->status_server));
        status_free(TAKE_PTR(d->status));
}

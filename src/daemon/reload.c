/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon.h"

#include "base/log.h"
#include "base/string-util.h"
#include "daemon/descriptors.h"
#include "when/zone.h"

/* How long one turn of the loop may read job files during a reload. */
#define RELOAD_TURN_USEC (2 * USEC_PER_MSEC)

static void log_report(const ConfigReport *report)
{
        for (size_t i = 0; i < report->n; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                if (config_problem_format(&report->problems[i], &text) >= 0)
                        log_error("%s", text.data);
        }
        if (report->n_dropped > 0)
                log_error("… and %zu problems more", report->n_dropped);
}

/* With the job that it is about, so that its log has it. */
static void log_warning_of_job(const ConfigProblem *problem)
{
        const char *slash = strrchr(problem->file, '/');
        _cleanup_buffer_ Buffer text = BUFFER_NULL;
        _cleanup_free_ char *job = NULL;

        if (slash && job_file_name_is_valid(slash + 1))
                (void)job_name_from_path(problem->file, &job);
        if (config_problem_format(problem, &text) >= 0)
                log_at(LOG_WARNING, ((const LogField[]){ { "TAKT_JOB", job }, {} }), "%s", text.data);
}

static void log_warnings(Loader *loader)
{
        const ConfigReport *report = loader_warnings(loader);
        unsigned n_more = loader_n_warnings(loader) - (unsigned)report->n;

        for (size_t i = 0; i < report->n; i++)
                log_warning_of_job(&report->problems[i]);
        if (n_more > 0)
                log_warning("… and %u warnings more", n_more);
}

/* All that can be known of what was loaded is known. */
static void end_lookout(Daemon *d)
{
        d->lookout = lookout_free(d->lookout);
        d->n_warnings = loader_n_warnings(d->loader);
        log_warnings(d->loader);
}

static int begin_lookout(Daemon *d, LookoutDone done)
{
        return lookout_new(&d->engine, d->environment, d->settings, d->loader, &d->resources, done, d, &d->lookout);
}

/* What is the first in its file was told as it was refused. */
static void log_other_problems(const ConfigReport *report)
{
        for (size_t i = 1; i < report->n; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_NULL;

                if (streq(report->problems[i].file, report->problems[i - 1].file) &&
                    config_problem_format(&report->problems[i], &text) >= 0)
                        log_error("%s", text.data);
        }
        if (report->n_dropped > 0)
                log_error("… and %zu problems more", report->n_dropped);
}

/* --- at the start --- */

static const char *remark_of(const ConfigReport *report)
{
        return report && report->n > 0 ? "; some files were refused" : "";
}

int daemon_load_settings(Daemon *d)
{
        ConfigReport report = CONFIG_REPORT_NULL;
        int r = resource_set_load_with_settings(d->environment->config_file, &report, &d->settings, &d->resources);

        log_report(&report);
        config_report_deinit(&report);
        return r;
}

static void on_start_looked(void *userdata)
{
        Daemon *d = userdata;

        end_lookout(d);
        d->loader = loader_free(d->loader);
}

int daemon_load_jobs(Daemon *d)
{
        _cleanup_(loader_freep) Loader *loader = NULL;
        LoaderCounts counts;
        int r = loader_new(d->environment->jobs, true, &d->resources, &loader);

        if (r < 0)
                return log_errno(LOG_ERR, r, "The job directory %s can't be read: %m", d->environment->jobs);
        r = scheduler_set_resources(d->engine.scheduler, &d->resources);
        if (r >= 0)
                r = loader_step(loader, clock_system(), USEC_INFINITY);
        if (r >= 0)
                r = loader_apply(loader, d->engine.scheduler, &d->engine.events, USEC_INFINITY, &counts);
        if (r < 0)
                return log_errno(LOG_ERR, r, "Loading the jobs failed: %m");
        log_other_problems(loader_report(loader));
        d->remark = remark_of(loader_report(loader));
        d->n_refused = counts.refused;
        log_info("Loaded %u jobs from %s%s", counts.added, d->environment->jobs,
                 counts.refused > 0 ? "; others were refused, see above" : "");
        d->loader = TAKE_PTR(loader);
        r = begin_lookout(d, on_start_looked);
        return r < 0 ? log_errno(LOG_ERR, r, "Looking for what jobs name failed: %m") : 0;
}

void daemon_notify_ready(const Daemon *d)
{
        service_manager_ready(d->manager, "%zu jobs%s%s", scheduler_n_jobs(d->engine.scheduler), d->remark,
                              state_keeper_problem(d->state_keeper) ? "; state can't be kept" : "");
}

void daemon_on_state_changed(void *userdata)
{
        const Daemon *d = userdata;

        /* A reload that is under way says so at its end. */
        if (!d->reloading && !d->stopping)
                daemon_notify_ready(d);
}

/* --- on request --- */

static void reload_finish(Daemon *d, const ApiReload *result)
{
        ApiReloadDone done = d->reload_done;
        size_t n_problems = result->report ? result->report->n : 0;

        if (result->r >= 0)
                log_info("Reloaded: %u jobs added, %u changed, %u removed, %u unchanged, %u refused, %zu problem%s, %u warning%s",
                         result->added, result->changed, result->removed, result->unchanged, result->refused,
                         n_problems, n_problems == 1 ? "" : "s",
                         result->n_warnings, result->n_warnings == 1 ? "" : "s");
        else
                log_error("Reload failed, nothing was changed: %s", strerror(-result->r));
        d->remark = result->r < 0 ? "; the last reload failed" : remark_of(result->report);
        if (!d->stopping)
                daemon_notify_ready(d);
        d->reload_done = NULL;
        d->reloading = false;
        if (done)
                done(result, d->reload_userdata);
        d->loader = loader_free(d->loader);
        d->new_settings = settings_free(d->new_settings);
        resource_set_deinit(&d->new_resources);
        config_report_deinit(&d->settings_report);
}

static void adopt_settings(Daemon *d)
{
        bool listen_changed = !streq_ptr(d->settings->listen, d->new_settings->listen);

        settings_free(d->settings);
        d->settings = TAKE_PTR(d->new_settings);
        resource_set_deinit(&d->resources);
        d->resources = d->new_resources;
        d->new_resources = (ResourceSet){};
        descriptors_fit(d->settings);
        if (!d->log_level_fixed)
                log_set_max_level(d->settings->log_level);
        engine_apply_settings(&d->engine, d->settings);
        daemon_apply_control_settings(d);
        if (!listen_changed)
                return;
        /* What can't be listened on is said; the daemon goes on without. */
        daemon_stop_status(d);
        (void)daemon_listen_status(d);
}

static void on_reload_looked(void *userdata)
{
        Daemon *d = userdata;

        end_lookout(d);
        reload_finish(d, &(ApiReload){
                                 .added = d->reload_counts.added,
                                 .changed = d->reload_counts.changed,
                                 .removed = d->reload_counts.removed,
                                 .unchanged = d->reload_counts.unchanged,
                                 .refused = d->reload_counts.refused,
                                 .report = loader_report(d->loader),
                                 .warnings = loader_warnings(d->loader),
                                 .n_warnings = loader_n_warnings(d->loader),
                         });
}

void daemon_on_reload_step(Deferred *deferred)
{
        Daemon *d = container_of(deferred, Daemon, reload_step);
        int r;

        activity_note("reading jobs", NULL);
        r = loader_step(d->loader, clock_system(), RELOAD_TURN_USEC);
        /* Resources come first: a job may begin as soon as it is there. */
        if (r > 0 && !loader_is_applying(d->loader))
                r = scheduler_set_resources(d->engine.scheduler, &d->new_resources) < 0 ? -ENOMEM : 1;
        if (r > 0)
                r = loader_apply(d->loader, d->engine.scheduler, &d->engine.events, RELOAD_TURN_USEC, &d->reload_counts);
        if (r == 0) {
                loop_defer(d->engine.loop, deferred);
                return;
        }
        if (r < 0) {
                reload_finish(d, &(ApiReload){ .r = r });
                return;
        }
        d->n_refused = d->reload_counts.refused;
        adopt_settings(d);
        scheduler_zones_changed(d->engine.scheduler);
        if (begin_lookout(d, on_reload_looked) < 0)
                on_reload_looked(d);
}

int daemon_reload(ApiReloadDone done, void *done_userdata, void *userdata)
{
        Daemon *d = userdata;
        int r;

        if (d->reloading || d->stopping)
                return -EBUSY;
        /* What the start still looks for is looked for anew. */
        daemon_end_load(d);
        d->reloading = true;
        service_manager_reloading(d->manager);
        d->reload_done = done;
        d->reload_userdata = done_userdata;
        r = resource_set_load_with_settings(d->environment->config_file, &d->settings_report, &d->new_settings, &d->new_resources);
        if (r >= 0) {
                /* What is known of zones may be another. */
                zone_forget();
                /* Jobs that were loaded are not given up because a directory was not mounted. */
                r = loader_new(d->environment->jobs, scheduler_n_jobs(d->engine.scheduler) == 0, &d->new_resources, &d->loader);
                if (r < 0)
                        config_report_add(&d->settings_report, d->environment->jobs, 0, 0, "can't be read: %s", strerror(-r));
        }
        if (r < 0) {
                log_report(&d->settings_report);
                reload_finish(d, &(ApiReload){ .r = r, .report = &d->settings_report });
                return 0;
        }
        loop_defer(d->engine.loop, &d->reload_step);
        return 0;
}

void daemon_end_load(Daemon *d)
{
        d->lookout = lookout_free(d->lookout);
        if (d->reloading)
                reload_finish(d, &(ApiReload){ .r = -ECANCELED });
        d->loader = loader_free(d->loader);
}

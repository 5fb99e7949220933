/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A job's definition, as its file and drop-ins give it: immutable once loaded, reference-counted,
 * shared by the job and the runs that began with it.
 */

#include "config/key.h"
#include "job/condition.h"
#include "job/event-trigger.h"
#include "job/instance.h"
#include "job/kind.h"
#include "job/mention.h"
#include "job/parameter.h"
#include "job/publish.h"
#include "job/result-schema.h"
#include "job/secret.h"
#include "job/warnings.h"
#include "job/words.h"
#include "result/output.h"
#include "when/schedule.h"

#define JOB_NAME_MAX 255U
#define JOB_NAME_GATHER "gather" /* of groups that no file defines, in the history and elsewhere */
#define JOB_USES_MAX 64U /* resources of one job */

typedef struct JobSpec JobSpec;

/* A resource that runs hold, and where the job says so. */
typedef struct JobUse {
        char *name;
        char *file;
        unsigned line, column;
} JobUse;

/* In the order of the names, in which they are taken: no two runs wait for each other then. */
typedef struct JobUses {
        JobUse *uses;
        size_t n;
} JobUses;

/* [Job] */
typedef struct JobSettings {
        char *type;
        char *description;
        StringList documentation;
        bool enabled;
        usec_t timeout; /* of an attempt; USEC_INFINITY: none */
        unsigned retries;
        usec_t retry_delay;
        usec_t retry_max_delay;
        ParameterSet *parameters; /* NULL: none */
        int log_level_success; /* index of its choices */
        InstanceSet *instances; /* Instances= of a template; NULL: none */
        JobCondition condition;
        JobUses uses;
        CommandLine *enter; /* run before it begins and after it ended, however it did; NULL: nothing */
        CommandLine *exit;
} JobSettings;

typedef enum JobOverlap {
        OVERLAP_SKIP,
        OVERLAP_QUEUE,
        OVERLAP_REPLACE,
        OVERLAP_PARALLEL,
} JobOverlap;

typedef enum JobMissed {
        MISSED_SKIP,
        MISSED_LATEST,
        MISSED_ALL,
} JobMissed;

/* [Schedule] */
typedef struct ScheduleSettings ScheduleSettings;
struct ScheduleSettings {
        Schedule schedule;
        EventTriggerList on;
        bool counts_from_end;   /* has an After= trigger */
        bool counts_from_start; /* has an OnStartup= trigger */
        int overlap;           /* JobOverlap */
        int event_overlap;     /* the same of runs that On= starts: those wait unless Overlap= is written */
        bool holds_events;     /* neither Overlap= nor MaxQueued= is written: all that is not too much waits for room */
        unsigned max_parallel; /* of Overlap=parallel; 0: only the environment's cap */
        unsigned max_queued;   /* of Overlap=queue */
        int missed;            /* JobMissed */
        usec_t missed_window;  /* what is older is not caught up on */
        usec_t accuracy;       /* how much later a run may begin, to begin together with others */
        usec_t random_delay;   /* up to which each is put off */
        bool fixed_random_delay;
        bool resume;           /* its times survive the daemon */
        bool persistent;       /* as written; it has settled missed and resume */
};

/* A jq program. */
typedef struct ResultFilter {
        char *program; /* NULL: none */
        char *file;    /* where it stands */
        unsigned line, column;
} ResultFilter;

/* Bytes of a program. */
#define RESULT_FILTER_MAX (64U * 1024)

/* [Result] */
typedef struct ResultSettings {
        int format; /* ResultFormat */
        OutputSet *outputs; /* NULL: none */
        ResultSchema schema;
        ResultFilter filter;
} ResultSettings;

/* Another job that this one runs. */
typedef struct JobReference {
        char *job;
        const char *file; /* one of the spec's */
        unsigned line, column;
        StringList args;  /* what it is run with; of an argument with placeholders, what comes before the first */
        bool args_vary;   /* there are such ones */
} JobReference;

struct JobSpec {
        unsigned n_ref;
        const JobKind *kind;
        char *name;
        StringList files;
        StringList triggers;     /* those that count, as written: "Every=1s"; for people */
        char *identity;          /* all assignments; equal text is an equal definition */
        char *schedule_identity; /* those of [Schedule] alone */
        JobSettings job;
        struct ScheduleSettings schedule;
        ResultSettings result;
        Publish publish;
        void *config; /* of the kind's section */
        bool has_secret;   /* a ${credential:…} is put in somewhere */
        bool uses_zone;    /* a ${scheduled:…} or another time is put in, as the job's zone has it */
        SecretSet secrets; /* that the files hold as they are */
        JobReference *references;
        size_t n_references;
        MentionList mentions; /* until job_spec_forget_mentions() */
        JobWarnings *warnings; /* NULL: none. Each load finds them anew */
        uint64_t visit; /* of job/references.c */
};

/* Whether something is done around its runs: resources are taken, commands run. */
static inline bool job_spec_is_guarded(const JobSpec *spec)
{
        return spec->job.uses.n > 0 || spec->job.enter || spec->job.exit;
}

/* Trigger I of the schedule as written; NULL where there is none. */
const char *job_spec_trigger(const JobSpec *spec, size_t i);
/* A number that stands for TRIGGER, as written, in what outlives the daemon; 0 for NULL. */
uint64_t job_trigger_id(const char *trigger);
/* The trigger of time or event that has this number; NULL where SPEC has none such any more. */
const char *job_spec_trigger_by_id(const JobSpec *spec, uint64_t id);

/* The sections that every job may have; for manuals and fuzz seeds. Ended by a NULL name. */
extern const ConfigSection job_sections[];

/* Whether NAME can be a job's: letters, digits, and ":-_.@", not beginning with a dot, at most JOB_NAME_MAX bytes. */
bool job_name_is_valid(const char *name);
/* Whether a daemon reads a file of this name in its jobs/: one that ends in ".job", is not hidden and no bare "@.job". */
bool job_file_name_is_valid(const char *name);
/*
 * Why a file of this name, which is none of a job, was surely meant to be one; NULL: it was not. What editors
 * and packages leave beside a file, and what begins with a dot, is theirs.
 */
const char *job_file_name_oddity(const char *name);
/* The job's name out of a file's: "blink" of "/etc/takt/jobs/blink.job". -EINVAL, -ENOMEM. */
int job_name_from_path(const char *path, char **ret);
/*
 * Reads PATH with its drop-ins. -EBADMSG: problems were added to REPORT; -ENOMEM; -ENOTSUP: a template that is
 * good for links only, see instance.h. A file that vanished is a problem like any other.
 */
int job_spec_load_file(const char *path, ConfigReport *report, JobSpec **ret);
/* As above, out of assignments that were read before. NAME is copied. */
int job_spec_load_items(const char *name, ConfigItems *items, ConfigReport *report, JobSpec **ret);

/*
 * For kind->load(): this job runs the job NAME (copied) with the words of LINE behind its first, as ITEM
 * says. -ENOMEM.
 */
int job_spec_add_reference(JobSpec *spec, const char *name, const CommandLine *line, const ConfigItem *item);

/* For kind->load(): the file names what may not be there; see mention_list_add(). */
int job_spec_mention(JobSpec *spec, const Mention *mention, const ConfigItem *item, size_t offset);
/* All that is mentioned was looked up. */
void job_spec_forget_mentions(JobSpec *spec);
/* Makes SPEC->warnings where there is none. -ENOMEM. */
int job_spec_hold_warnings(JobSpec *spec);
/* Adds "KEY=: MESSAGE" at this place; see job_warnings_add(). -ENOMEM. */
int job_spec_warn(JobSpec *spec, const char *file, unsigned line, unsigned column, const char *key, const char *message);
/* The same at OFFSET bytes of ITEM's value. */
int job_spec_warn_at(JobSpec *spec, const ConfigItem *item, size_t offset, const char *key, const char *message);
/*
 * SPEC has the warnings of FROM from now on, also those that come later where FROM holds its warnings already. FROM may
 * be NULL: there are none.
 */
void job_spec_share_warnings(JobSpec *spec, const JobSpec *from);

JobSpec *job_spec_ref(JobSpec *spec);
JobSpec *job_spec_unref(JobSpec *spec);
DEFINE_CLEANUP(JobSpec *, job_spec_unref);

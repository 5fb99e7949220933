/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "when/zone.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/list.h"
#include "when/civil.h"
#include "when/zone-rule.h"

#define ZONEINFO_DIR "/usr/share/zoneinfo"
#define LOCALTIME_FILE "/etc/localtime"
#define OFFSET_MAX (26 * 3600)

typedef struct ZoneType {
        int32_t offset;
        bool dst;
        char abbreviation[ZONE_ABBREVIATION_MAX + 1];
} ZoneType;

struct Zone {
        unsigned n_refs; /* 0: is never freed */
        List link;       /* in loaded_zones, until zone_forget() */
        char *name;
        bool local;      /* loaded as ZONE_LOCAL */
        int64_t *transitions;
        uint8_t *transition_types; /* as many; indices in TYPES */
        size_t n_transitions;
        ZoneType *types;
        size_t n_types;
        bool has_rule; /* RULE goes on after the last transition */
        ZoneRule rule;
        ZoneSpan recent; /* what zone_span() told last; empty: nothing yet */
};

static const char *zoneinfo_dir = ZONEINFO_DIR;
static const char *localtime_path = LOCALTIME_FILE;
static List loaded_zones = LIST_INIT(loaded_zones);

/* The file's counts, in its order (RFC 8536, 3.1). */
typedef struct Header {
        uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
} Header;

#define HEADER_SIZE 44

typedef struct Reader {
        const uint8_t *p;
        size_t left;
} Reader;

/* N bytes, or NULL where there are fewer. */
static const uint8_t *take(Reader *reader, size_t n)
{
        const uint8_t *p = reader->p;

        if (reader->left < n)
                return NULL;
        reader->p += n;
        reader->left -= n;
        return p;
}

static uint32_t read_be32(const uint8_t *p)
{
        uint32_t n;

        memcpy(&n, p, sizeof(n));
        return be32toh(n);
}

static int64_t read_time(const uint8_t *p, size_t size)
{
        uint64_t n;

        if (size == 4)
                return (int32_t)read_be32(p);
        memcpy(&n, p, sizeof(n));
        return (int64_t)be64toh(n);
}

static int read_header(Reader *reader, Header *ret, int *ret_version)
{
        const uint8_t *p = take(reader, HEADER_SIZE);

        if (!p || memcmp(p, "TZif", 4) != 0)
                return -EBADMSG;
        *ret_version = p[4] == 0 ? 1 : p[4] - '0';
        p += 20;
        *ret = (Header){
                .isutcnt = read_be32(p),
                .isstdcnt = read_be32(p + 4),
                .leapcnt = read_be32(p + 8),
                .timecnt = read_be32(p + 12),
                .typecnt = read_be32(p + 16),
                .charcnt = read_be32(p + 20),
        };
        return 0;
}

static size_t block_size(const Header *header, size_t time_size)
{
        return (size_t)header->timecnt * (time_size + 1) + (size_t)header->typecnt * 6 + header->charcnt +
               (size_t)header->leapcnt * (time_size + 4) + header->isstdcnt + header->isutcnt;
}

static int read_types(Zone *zone, const Header *header, const uint8_t *types, const uint8_t *names)
{
        zone->types = new0(ZoneType, header->typecnt);
        if (!zone->types)
                return -ENOMEM;
        zone->n_types = header->typecnt;
        for (size_t i = 0; i < zone->n_types; i++) {
                ZoneType *type = &zone->types[i];
                const uint8_t *p = types + 6 * i;
                size_t n;

                type->offset = (int32_t)read_be32(p);
                type->dst = p[4];
                if (type->offset < -OFFSET_MAX || type->offset > OFFSET_MAX || p[4] > 1 || p[5] >= header->charcnt)
                        return -EBADMSG;
                n = strnlen((const char *)names + p[5], header->charcnt - p[5]);
                memcpy(type->abbreviation, names + p[5], MIN(n, (size_t)ZONE_ABBREVIATION_MAX));
        }
        return 0;
}

static int read_transitions(Zone *zone, const Header *header, size_t time_size, const uint8_t *times,
                            const uint8_t *types)
{
        if (header->timecnt == 0)
                return 0;
        zone->transitions = new0(int64_t, header->timecnt);
        zone->transition_types = new0(uint8_t, header->timecnt);
        if (!zone->transitions || !zone->transition_types)
                return -ENOMEM;
        zone->n_transitions = header->timecnt;
        for (size_t i = 0; i < zone->n_transitions; i++) {
                zone->transitions[i] = read_time(times + time_size * i, time_size);
                zone->transition_types[i] = types[i];
                if (types[i] >= header->typecnt || (i > 0 && zone->transitions[i] <= zone->transitions[i - 1]))
                        return -EBADMSG;
        }
        return 0;
}

/* "\nTZ\n"; an empty rule says that nothing is known. */
static int read_footer(Zone *zone, Reader *reader)
{
        char text[256];
        const uint8_t *end;
        size_t n;

        if (!take(reader, 1) || reader->p[-1] != '\n')
                return -EBADMSG;
        end = memchr(reader->p, '\n', reader->left);
        if (!end || (size_t)(end - reader->p) >= sizeof(text))
                return -EBADMSG;
        n = (size_t)(end - reader->p);
        if (n == 0)
                return 0;
        memcpy(text, reader->p, n);
        text[n] = '\0';
        if (zone_rule_parse(text, &zone->rule) < 0)
                return -EBADMSG;
        zone->has_rule = true;
        return 0;
}

/* -EBADMSG; -EOPNOTSUPP for a "right/" file, whose seconds are not those of the system's clock. */
static int read_tzif(Zone *zone, const Buffer *file)
{
        Reader reader = { .p = (const uint8_t *)file->data, .left = file->len };
        size_t time_size = 4;
        const uint8_t *block;
        Header header;
        int version, r;

        if (read_header(&reader, &header, &version) < 0)
                return -EBADMSG;
        if (version >= 2) {
                if (!take(&reader, block_size(&header, 4)) || read_header(&reader, &header, &version) < 0)
                        return -EBADMSG;
                time_size = 8;
        }
        if (header.leapcnt > 0)
                return -EOPNOTSUPP;
        block = take(&reader, block_size(&header, time_size));
        if (!block || header.typecnt == 0 || header.typecnt > 256 || header.charcnt == 0)
                return -EBADMSG;

        r = read_transitions(zone, &header, time_size, block, block + time_size * header.timecnt);
        if (r < 0)
                return r;
        block += (time_size + 1) * header.timecnt;
        r = read_types(zone, &header, block, block + 6 * (size_t)header.typecnt);
        if (r < 0)
                return r;
        return version >= 2 ? read_footer(zone, &reader) : 0;
}

static Zone *zone_free(Zone *zone)
{
        if (!zone)
                return NULL;
        list_unlink(&zone->link);
        free(zone->name);
        free(zone->transitions);
        free(zone->transition_types);
        free(zone->types);
        free(zone);
        return NULL;
}
DEFINE_CLEANUP(Zone *, zone_free);

static Zone *zone_new(const char *name)
{
        Zone *zone = new0(Zone, 1);

        if (!zone)
                return NULL;
        zone->n_refs = 1;
        list_init(&zone->link);
        zone->name = strdup(name);
        return zone->name ? zone : zone_free(zone);
}

Zone *zone_utc(void)
{
        static char name[] = "UTC";
        static ZoneType type = { .abbreviation = "UTC" };
        static Zone utc = { .name = name, .types = &type, .n_types = 1 };

        return &utc;
}

Zone *zone_ref(Zone *zone)
{
        if (zone->n_refs > 0)
                zone->n_refs++;
        return zone;
}

Zone *zone_unref(Zone *zone)
{
        if (zone && zone->n_refs > 0 && --zone->n_refs == 0)
                zone_free(zone);
        return NULL;
}

const char *zone_name(const Zone *zone)
{
        return zone->name;
}

void zone_set_root(const char *zoneinfo, const char *localtime_file)
{
        zoneinfo_dir = zoneinfo ?: ZONEINFO_DIR;
        localtime_path = localtime_file ?: LOCALTIME_FILE;
        zone_forget();
}

void zone_forget(void)
{
        Zone *zone;

        list_foreach (zone, &loaded_zones, Zone, link)
                list_unlink(&zone->link);
}

const char *zone_local_path(void)
{
        return localtime_path;
}

bool zone_equal(const Zone *a, const Zone *b)
{
        return a == b ||
               (streq(a->name, b->name) && a->n_transitions == b->n_transitions && a->n_types == b->n_types &&
                a->has_rule == b->has_rule && memcmp(&a->rule, &b->rule, sizeof(a->rule)) == 0 &&
                (a->n_transitions == 0 ||
                 (memcmp(a->transitions, b->transitions, a->n_transitions * sizeof(*a->transitions)) == 0 &&
                  memcmp(a->transition_types, b->transition_types, a->n_transitions) == 0)) &&
                memcmp(a->types, b->types, a->n_types * sizeof(*a->types)) == 0);
}

/* A relative path of the characters that tzdata uses, with no "." or ".." in it. */
static bool name_is_valid(const char *name)
{
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-_/";
        size_t n = strlen(name);

        return n > 0 && n <= ZONE_NAME_MAX && strspn(name, allowed) == n && name[0] != '/' &&
               name[n - 1] != '/' && !strstr(name, "//");
}

/* The name behind the link /etc/localtime; "localtime" where it is a copy. */
static void local_name(char ret[static ZONE_NAME_MAX + 1])
{
        static const char directory[] = "zoneinfo/";
        char target[PATH_MAX];
        ssize_t n = readlink(localtime_path, target, sizeof(target) - 1);
        const char *name = NULL;

        if (n > 0) {
                target[n] = '\0';
                name = strstr(target, directory);
        }
        if (name && name_is_valid(name + strlen(directory)))
                strcpy(ret, name + strlen(directory));
        else
                strcpy(ret, "localtime");
}

static Zone *find_loaded(const char *name)
{
        Zone *zone;

        list_foreach (zone, &loaded_zones, Zone, link)
                if (name ? !zone->local && streq(zone->name, name) : zone->local)
                        return zone_ref(zone);
        return NULL;
}

static int explain(WhenError *error, int r, const char *name)
{
        switch (r) {
        case -ENOENT:
        case -ENOTDIR:
        case -EISDIR:
                return when_error(error, -ENOENT, 0, "unknown time zone \"%.60s\"; expected a name such as Europe/Berlin",
                                  name);
        case -EBADMSG:
                return when_error(error, r, 0, "the file of time zone \"%.60s\" is damaged; install tzdata anew", name);
        case -EOPNOTSUPP:
                return when_error(error, -EBADMSG, 0, "time zone \"%.60s\" counts leap seconds, the clock doesn't", name);
        case -EFBIG:
                return when_error(error, r, 0, "the file of time zone \"%.60s\" is too large", name);
        default:
                return when_error(error, r, 0, "can't read time zone \"%.60s\": %s", name, strerror(-r));
        }
}

int zone_load(const char *name, Zone **ret, WhenError *error)
{
        _cleanup_buffer_ Buffer file = BUFFER_NULL;
        _cleanup_(zone_freep) Zone *zone = NULL;
        _cleanup_free_ char *path = NULL;
        char local[ZONE_NAME_MAX + 1];
        Zone *loaded;
        int r;

        if (name && !name_is_valid(name))
                return when_error(error, -EINVAL, 0, "not a time zone; expected a name such as Europe/Berlin");
        loaded = name && streq(name, "UTC") ? zone_utc() : find_loaded(name);
        if (loaded) {
                *ret = loaded;
                return 0;
        }
        if (!name)
                local_name(local);

        path = name ? path_join(zoneinfo_dir, name) : strdup(localtime_path);
        zone = zone_new(name ?: local);
        if (!path || !zone)
                return -ENOMEM;
        r = read_file_at(AT_FDCWD, path, ZONE_FILE_MAX, &file);
        if (r == -ENOENT && !name) {
                *ret = zone_utc();
                return 0;
        }
        if (r >= 0)
                r = read_tzif(zone, &file);
        if (r < 0)
                return explain(error, r, zone->name);

        zone->local = !name;
        list_append(&loaded_zones, &zone->link);
        *ret = TAKE_PTR(zone);
        return 0;
}

static void find_span(const Zone *zone, int64_t utc, ZoneSpan *ret)
{
        size_t low = 0, high = zone->n_transitions;
        const ZoneType *type = &zone->types[0];
        ZoneSpan span;

        /* LOW becomes the number of transitions up to UTC. */
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (zone->transitions[middle] <= utc)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == zone->n_transitions && zone->has_rule) {
                zone_rule_span(&zone->rule, utc, ret);
                if (low > 0)
                        ret->start = MAX(ret->start, zone->transitions[low - 1]);
                return;
        }
        if (low > 0)
                type = &zone->types[zone->transition_types[low - 1]];
        span = (ZoneSpan){
                .start = low > 0 ? zone->transitions[low - 1] : INT64_MIN,
                .end = low < zone->n_transitions ? zone->transitions[low] : INT64_MAX,
                .offset = type->offset,
                .dst = type->dst,
        };
        memcpy(span.abbreviation, type->abbreviation, sizeof(span.abbreviation));
        *ret = span;
}

/* Most who ask, ask of times near to each other: half a year is one stretch. */
void zone_span(const Zone *zone, int64_t utc, ZoneSpan *ret)
{
        ZoneSpan *recent = &((Zone *)zone)->recent;

        if (utc < recent->start || utc >= recent->end)
                find_span(zone, utc, recent);
        *ret = *recent;
}

ZoneFit zone_resolve(const Zone *zone, int64_t local, int64_t *ret_first, int64_t *ret_second)
{
        unsigned n = 0;
        int64_t first = 0, second = 0, t = local - OFFSET_MAX;
        ZoneSpan span;

        do {
                zone_span(zone, t, &span);
                if (local - span.offset < span.start) {
                        /* Past it already: a gap, unless it was found. */
                        if (n == 0)
                                second = first = span.start;
                        break;
                }
                if (local - span.offset < span.end) {
                        if (n++ == 0)
                                first = local - span.offset;
                        second = local - span.offset;
                }
                t = span.end;
        } while (n < 2 && t <= local + OFFSET_MAX);

        *ret_first = first;
        *ret_second = second;
        return n == 0 ? ZONE_GAP : n == 1 ? ZONE_UNIQUE : ZONE_FOLD;
}

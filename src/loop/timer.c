/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wheel is that of Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, with LEVELS levels of
 * 64 lists: a list of level L holds what is due in a stretch of 64^L ticks. An entry lies on the level of the
 * highest digit in which its tick differs from the present one, so that lower levels are earlier. Time does
 * not turn it tick by tick: the next list that is not empty is found by a bit, and the present tick becomes
 * that one's. A list of a higher level is dealt out to the lower ones, one of level 0 becomes READY, sorted.
 * Unlike most wheels this one rounds no deadline.
 *
 * What is armed for the present tick or earlier goes into the heap: these are few. What callbacks arm for the
 * time that is being dispatched waits in LATER for the next call.
 */
#include "loop/timer.h"

#define TICK_SHIFT 10U
#define TICK (1U << TICK_SHIFT) /* microseconds */
#define DIGIT_BITS 6U
#define DIGITS (1U << DIGIT_BITS)
#define LEVELS ((64U - TICK_SHIFT + DIGIT_BITS - 1) / DIGIT_BITS)
#define IN_LIST UINT32_MAX

/* Entries of a list that are dealt out in one call: a million at once would hold up all else. */
#define DEALT_A_CALL 8192U
/* Entries that are looked at to find the earliest of a list; where there are more, its begin will do. */
#define SCAN_MAX 256U

#define HEAP_ARITY 4
#define HEAP_MIN 16

/* The deadline is kept beside the pointer, so that sifting does not touch the timers it passes. */
typedef struct HeapSlot {
        usec_t due;
        Timer *timer;
} HeapSlot;

typedef struct Level {
        List lists[DIGITS];
        uint64_t used;     /* a bit a list that is not empty */
        uint64_t unsorted; /* a bit a list that is not in the order of firing */
} Level;

struct TimerQueue {
        Clock *clock;
        uint64_t tick; /* the present one: what is due later is in the wheel */
        Level levels[LEVELS];
        List dealing; /* of a list that is being dealt out; all of it is due at TICK or later */
        List ready;   /* due at TICK, in order */
        List later;
        List instants[TICK]; /* of a tick that is being sorted */
        HeapSlot *heap;
        size_t n_heap;
        size_t allocated;
        size_t n; /* all that are armed */
        usec_t wake;
        uint32_t sequence;
        bool dispatching;
        uint64_t turn;
        usec_t dispatched_boottime;
        TimerQueueNotify notify;
        void *notify_userdata;
        TimerQueueMeter meter;
        void *meter_userdata;
};

TimerQueue *timer_queue_new(Clock *clock)
{
        TimerQueue *queue = new0(TimerQueue, 1);

        if (!queue)
                return NULL;
        queue->clock = clock;
        queue->tick = clock_boottime(clock) >> TICK_SHIFT;
        queue->wake = USEC_INFINITY;
        for (size_t level = 0; level < LEVELS; level++)
                for (size_t i = 0; i < DIGITS; i++)
                        list_init(&queue->levels[level].lists[i]);
        list_init(&queue->dealing);
        list_init(&queue->ready);
        list_init(&queue->later);
        for (size_t i = 0; i < TICK; i++)
                list_init(&queue->instants[i]);
        return queue;
}

static void forget_list(List *list)
{
        Timer *timer;

        list_foreach(timer, list, Timer, link)
                timer->slot = 0;
}

TimerQueue *timer_queue_free(TimerQueue *queue)
{
        if (!queue)
                return NULL;
        for (size_t level = 0; level < LEVELS; level++)
                for (size_t i = 0; i < DIGITS; i++)
                        forget_list(&queue->levels[level].lists[i]);
        forget_list(&queue->dealing);
        forget_list(&queue->ready);
        forget_list(&queue->later);
        for (size_t i = 0; i < queue->n_heap; i++)
                queue->heap[i].timer->slot = 0;
        free(queue->heap);
        free(queue);
        return NULL;
}

Clock *timer_queue_clock(TimerQueue *queue)
{
        return queue->clock;
}

void timer_queue_set_notify(TimerQueue *queue, TimerQueueNotify notify, void *userdata)
{
        queue->notify = notify;
        queue->notify_userdata = userdata;
}

void timer_queue_set_meter(TimerQueue *queue, TimerQueueMeter meter, void *userdata)
{
        queue->meter = meter;
        queue->meter_userdata = userdata;
}

/* The heap has room for all: whatever is armed may be armed anew for the present tick. */
int timer_queue_reserve(TimerQueue *queue, size_t n)
{
        size_t want, size;
        HeapSlot *heap;

        if (__builtin_add_overflow(queue->n, n, &want) || want >= UINT32_MAX)
                return -ENOMEM;
        if (want <= queue->allocated)
                return 0;
        size = MAX(MAX(queue->allocated * 2, want), (size_t)HEAP_MIN);
        heap = reallocarray(queue->heap, size, sizeof(*heap));
        if (!heap)
                return -ENOMEM;
        queue->heap = heap;
        queue->allocated = size;
        return 0;
}

/* Sequence numbers wrap; entries of one deadline are never 2^31 armings apart. */
static bool fires_before(const Timer *a, const Timer *b)
{
        if (a->due_boottime != b->due_boottime)
                return a->due_boottime < b->due_boottime;
        return (int32_t)(a->sequence - b->sequence) < 0;
}

/* --- the heap --- */

static bool before(const HeapSlot *a, const HeapSlot *b)
{
        return a->due != b->due ? a->due < b->due : fires_before(a->timer, b->timer);
}

static void place(TimerQueue *queue, size_t i, HeapSlot slot)
{
        queue->heap[i] = slot;
        slot.timer->slot = (uint32_t)i + 1;
}

static void sift_up(TimerQueue *queue, size_t i, HeapSlot slot)
{
        while (i > 0) {
                size_t parent = (i - 1) / HEAP_ARITY;

                if (!before(&slot, &queue->heap[parent]))
                        break;
                place(queue, i, queue->heap[parent]);
                i = parent;
        }
        place(queue, i, slot);
}

static void sift_down(TimerQueue *queue, size_t i, HeapSlot slot)
{
        for (;;) {
                size_t first = i * HEAP_ARITY + 1, least = first;
                size_t end = MIN(first + HEAP_ARITY, queue->n_heap);

                if (first >= queue->n_heap)
                        break;
                for (size_t k = first + 1; k < end; k++)
                        if (before(&queue->heap[k], &queue->heap[least]))
                                least = k;
                if (!before(&queue->heap[least], &slot))
                        break;
                place(queue, i, queue->heap[least]);
                i = least;
        }
        place(queue, i, slot);
}

static void sift(TimerQueue *queue, size_t i, HeapSlot slot)
{
        if (i > 0 && before(&slot, &queue->heap[(i - 1) / HEAP_ARITY]))
                sift_up(queue, i, slot);
        else
                sift_down(queue, i, slot);
}

static void heap_add(TimerQueue *queue, Timer *timer)
{
        sift_up(queue, queue->n_heap++, (HeapSlot){ .due = timer->due_boottime, .timer = timer });
}

static void heap_remove(TimerQueue *queue, Timer *timer)
{
        size_t i = timer->slot - 1;
        HeapSlot last = queue->heap[--queue->n_heap];

        if (i < queue->n_heap)
                sift(queue, i, last);
}

/* --- the wheel --- */

/* Puts TIMER, which is due at the present tick or later, into its list. */
static void wheel_add(TimerQueue *queue, Timer *timer)
{
        uint64_t tick = timer->due_boottime >> TICK_SHIFT, difference = tick ^ queue->tick;
        size_t l = difference > 0 ? (63U - (unsigned)__builtin_clzll(difference)) / DIGIT_BITS : 0;
        Level *level = &queue->levels[l];
        size_t i = tick >> (l * DIGIT_BITS) & (DIGITS - 1);
        uint64_t bit = UINT64_C(1) << i;

        if (level->used & bit && fires_before(timer, list_last(&level->lists[i], Timer, link)))
                level->unsorted |= bit;
        level->used |= bit;
        list_append(&level->lists[i], &timer->link);
        timer->slot = IN_LIST;
}

/* What is in a list: of the wheel, where its bit goes with the last one, or another. */
static void list_remove(TimerQueue *queue, Timer *timer)
{
        const List *head = timer->link.next;

        list_unlink(&timer->link);
        if (head->next != head || head < &queue->levels[0].lists[0] || head > &queue->levels[LEVELS - 1].lists[DIGITS - 1])
                return;
        for (size_t l = 0; l < LEVELS; l++)
                if (head >= queue->levels[l].lists && head < queue->levels[l].lists + DIGITS) {
                        uint64_t bit = UINT64_C(1) << (head - queue->levels[l].lists);

                        queue->levels[l].used &= ~bit;
                        queue->levels[l].unsorted &= ~bit;
                }
}

typedef struct Place {
        size_t level;
        size_t i;
        uint64_t tick; /* where its stretch begins */
} Place;

/* The earliest list of the wheel. False: all are empty. */
static bool first_list(const TimerQueue *queue, Place *ret)
{
        for (size_t l = 0; l < LEVELS; l++) {
                uint64_t used = queue->levels[l].used;
                unsigned shift = (unsigned)l * DIGIT_BITS;

                if (used == 0)
                        continue;
                ret->level = l;
                ret->i = (size_t)__builtin_ctzll(used);
                ret->tick = ((queue->tick >> shift & ~(uint64_t)(DIGITS - 1)) | ret->i) << shift;
                return true;
        }
        return false;
}

static void merge(List *into, List *a, List *b)
{
        while (!list_is_empty(a) && !list_is_empty(b)) {
                Timer *x = list_first(a, Timer, link), *y = list_first(b, Timer, link);
                Timer *first = fires_before(y, x) ? y : x;

                list_unlink(&first->link);
                list_append(into, &first->link);
        }
        list_splice(into, a);
        list_splice(into, b);
}

/* Merge sort: RUNS[i] holds 2^i entries, or none. */
static void sort(List *list)
{
        List runs[32], carry, merged;
        size_t n = 0;

        while (!list_is_empty(list)) {
                List *l = list->next;
                size_t i;

                list_unlink(l);
                list_init(&carry);
                list_append(&carry, l);
                for (i = 0; i < n && !list_is_empty(&runs[i]); i++) {
                        list_init(&merged);
                        merge(&merged, &runs[i], &carry);
                        list_splice(&carry, &merged);
                }
                if (i == n && n < ARRAY_SIZE(runs))
                        list_init(&runs[n++]);
                list_splice(&runs[MIN(i, n - 1)], &carry);
        }
        list_init(&carry);
        for (size_t i = 0; i < n; i++) {
                list_init(&merged);
                merge(&merged, &runs[i], &carry);
                list_splice(&carry, &merged);
        }
        list_splice(list, &carry);
}

/*
 * Sorts what is due in one tick, O(n) as a rule: by instants, and what is due at the same instant has nearly
 * always come in order.
 */
static void sort_tick(TimerQueue *queue, List *list)
{
        uint64_t used[TICK / 64] = {}, unsorted[TICK / 64] = {};

        while (!list_is_empty(list)) {
                Timer *timer = list_first(list, Timer, link);
                size_t i = timer->due_boottime & (TICK - 1);
                uint64_t bit = UINT64_C(1) << (i & 63);

                list_unlink(&timer->link);
                if (used[i / 64] & bit && fires_before(timer, list_last(&queue->instants[i], Timer, link)))
                        unsorted[i / 64] |= bit;
                used[i / 64] |= bit;
                list_append(&queue->instants[i], &timer->link);
        }
        for (size_t w = 0; w < TICK / 64; w++)
                for (; used[w] != 0; used[w] &= used[w] - 1) {
                        unsigned bit = (unsigned)__builtin_ctzll(used[w]);

                        if (unsorted[w] >> bit & 1)
                                sort(&queue->instants[w * 64 + bit]);
                        list_splice(list, &queue->instants[w * 64 + bit]);
                }
}

/* Takes the list at PLACE out of the wheel, whose present tick becomes that of its begin. */
static void take_list(TimerQueue *queue, const Place *place)
{
        Level *level = &queue->levels[place->level];
        uint64_t bit = UINT64_C(1) << place->i;
        List *to = place->level > 0 ? &queue->dealing : &queue->ready;

        list_splice(to, &level->lists[place->i]);
        if (place->level == 0 && level->unsorted & bit)
                sort_tick(queue, to);
        level->used &= ~bit;
        level->unsorted &= ~bit;
        queue->tick = place->tick;
}

/*
 * Goes on to the next list that is due by NOW. False: there is none, or it is being dealt out and *LEFT, the
 * entries that may be dealt out in this call, are used up.
 */
static bool advance(TimerQueue *queue, usec_t now_boottime, size_t *left)
{
        uint64_t now = now_boottime >> TICK_SHIFT;
        Place place;

        if (list_is_empty(&queue->dealing)) {
                if (!list_is_empty(&queue->ready))
                        return false;
                if (!first_list(queue, &place) || place.tick > now) {
                        queue->tick = MAX(queue->tick, now);
                        return false;
                }
                take_list(queue, &place);
        }
        while (!list_is_empty(&queue->dealing)) {
                Timer *timer = list_first(&queue->dealing, Timer, link);

                if ((*left)-- == 0) {
                        *left = 0;
                        return false;
                }
                list_unlink(&timer->link);
                wheel_add(queue, timer);
        }
        /* What is due at the very begin of what was dealt out comes before all that is armed from now on. */
        if (list_is_empty(&queue->ready) && first_list(queue, &place) && place.tick == queue->tick)
                take_list(queue, &place);
        return true;
}

/* --- all of it --- */

static void put(TimerQueue *queue, Timer *timer)
{
        if (queue->dispatching && timer->due_boottime <= queue->dispatched_boottime) {
                list_append(&queue->later, &timer->link);
                timer->slot = IN_LIST;
        } else if (timer->due_boottime >> TICK_SHIFT <= queue->tick) {
                heap_add(queue, timer);
        } else {
                wheel_add(queue, timer);
        }
}

static void take(TimerQueue *queue, Timer *timer)
{
        if (timer->slot == IN_LIST)
                list_remove(queue, timer);
        else
                heap_remove(queue, timer);
        timer->slot = 0;
        queue->n--;
}

int timer_arm(TimerQueue *queue, Timer *timer, usec_t due_boottime)
{
        int r;

        if (timer->slot > 0)
                take(queue, timer);
        if (queue->n >= queue->allocated) {
                r = timer_queue_reserve(queue, 1);
                if (r < 0)
                        return r;
        }
        timer->due_boottime = due_boottime;
        timer->sequence = queue->sequence++;
        put(queue, timer);
        queue->n++;
        if (due_boottime >= queue->wake)
                return 0;
        queue->wake = due_boottime;
        /* While dispatching, the loop looks at it afterwards anyway. */
        if (queue->notify && !queue->dispatching)
                queue->notify(queue->notify_userdata);
        return 0;
}

int timer_arm_after(TimerQueue *queue, Timer *timer, usec_t after)
{
        return timer_arm(queue, timer, usec_add(clock_boottime(queue->clock), after));
}

void timer_disarm(TimerQueue *queue, Timer *timer)
{
        if (timer->slot > 0)
                take(queue, timer);
}

/* The first to fire of what is not in the wheel any more; NULL: there is none. */
static Timer *first_ready(const TimerQueue *queue)
{
        Timer *timer = list_first(&queue->ready, Timer, link);

        if (queue->n_heap > 0 && (!timer || fires_before(queue->heap[0].timer, timer)))
                return queue->heap[0].timer;
        return timer;
}

/* The earliest deadline of LIST; no more than MAX entries (0: all) are looked at, and where there are more it is FALLBACK. */
static usec_t least(const List *list, size_t max, usec_t fallback)
{
        usec_t found = USEC_INFINITY;
        size_t n = 0;

        for (List *l = list->next; l != list; l = l->next) {
                const Timer *timer = container_of(l, Timer, link);

                if (max > 0 && n++ == max)
                        return fallback;
                found = MIN(found, timer->due_boottime);
        }
        return found;
}

static usec_t earliest(const TimerQueue *queue, size_t scan_max)
{
        const Timer *timer = first_ready(queue);
        usec_t found = timer ? timer->due_boottime : USEC_INFINITY;
        Place place;

        found = MIN(found, least(&queue->later, 0, 0));
        /* What is being dealt out may be due at once. */
        if (!list_is_empty(&queue->dealing))
                return MIN(found, least(&queue->dealing, scan_max, queue->tick << TICK_SHIFT));
        if (found != USEC_INFINITY || !first_list(queue, &place))
                return found;
        if (!(queue->levels[place.level].unsorted >> place.i & 1))
                return list_first(&queue->levels[place.level].lists[place.i], Timer, link)->due_boottime;
        return least(&queue->levels[place.level].lists[place.i], scan_max, place.tick << TICK_SHIFT);
}

usec_t timer_queue_next(const TimerQueue *queue)
{
        return earliest(queue, 0);
}

usec_t timer_queue_wake(const TimerQueue *queue)
{
        return queue->wake;
}

uint64_t timer_queue_turn(const TimerQueue *queue)
{
        return queue->turn;
}

size_t timer_queue_size(const TimerQueue *queue)
{
        return queue->n;
}

static void put_later(TimerQueue *queue)
{
        Timer *timer;

        list_foreach(timer, &queue->later, Timer, link) {
                list_unlink(&timer->link);
                put(queue, timer);
        }
}

/* Returns when what comes next begins. */
static usec_t callback_ended(const TimerQueue *queue, usec_t began_boottime)
{
        return queue->meter ? queue->meter(began_boottime, queue->meter_userdata) : began_boottime;
}

size_t timer_queue_dispatch(TimerQueue *queue, usec_t now_boottime, size_t max)
{
        size_t fired = 0, left = max > 0 ? DEALT_A_CALL : SIZE_MAX;
        usec_t began = now_boottime;

        queue->dispatching = true;
        queue->turn++;
        queue->dispatched_boottime = now_boottime;
        while (max == 0 || fired < max) {
                Timer *timer = list_is_empty(&queue->dealing) ? first_ready(queue) : NULL;

                if (timer && timer->due_boottime <= now_boottime) {
                        take(queue, timer);
                        timer->callback(timer, began);
                        began = callback_ended(queue, began);
                        fired++;
                } else if (advance(queue, now_boottime, &left)) {
                        began = callback_ended(queue, began);
                } else {
                        break;
                }
        }
        queue->dispatching = false;
        put_later(queue);
        queue->wake = earliest(queue, SCAN_MAX);
        return fired;
}

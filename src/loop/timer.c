/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/timer.h"

#define HEAP_ARITY 4
#define HEAP_MIN 16

/* The deadline is kept beside the pointer, so that sifting does not touch the timers it passes. */
typedef struct HeapSlot {
        usec_t due;
        Timer *timer;
} HeapSlot;

struct TimerQueue {
        Clock *clock;
        HeapSlot *heap;
        size_t n;
        size_t allocated;
        uint32_t sequence;
        bool dispatching;
        TimerQueueNotify notify;
        void *notify_userdata;
        TimerQueueMeter meter;
        void *meter_userdata;
};

TimerQueue *timer_queue_new(Clock *clock)
{
        TimerQueue *queue = new0(TimerQueue, 1);

        if (queue)
                queue->clock = clock;
        return queue;
}

TimerQueue *timer_queue_free(TimerQueue *queue)
{
        if (!queue)
                return NULL;
        for (size_t i = 0; i < queue->n; i++)
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
static bool before(const HeapSlot *a, const HeapSlot *b)
{
        if (a->due != b->due)
                return a->due < b->due;
        return (int32_t)(a->timer->sequence - b->timer->sequence) < 0;
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
                size_t end = MIN(first + HEAP_ARITY, queue->n);

                if (first >= queue->n)
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

int timer_arm(TimerQueue *queue, Timer *timer, usec_t due_boottime)
{
        usec_t earliest = timer_queue_next(queue);
        int r;

        timer->due_boottime = due_boottime;
        timer->sequence = queue->sequence++;
        if (timer->slot > 0) {
                sift(queue, timer->slot - 1, (HeapSlot){ .due = due_boottime, .timer = timer });
        } else {
                r = timer_queue_reserve(queue, 1);
                if (r < 0)
                        return r;
                sift_up(queue, queue->n++, (HeapSlot){ .due = due_boottime, .timer = timer });
        }
        /* While dispatching, the loop looks at the next deadline afterwards anyway. */
        if (due_boottime < earliest && queue->notify && !queue->dispatching)
                queue->notify(queue->notify_userdata);
        return 0;
}

int timer_arm_after(TimerQueue *queue, Timer *timer, usec_t after)
{
        return timer_arm(queue, timer, usec_add(clock_boottime(queue->clock), after));
}

void timer_disarm(TimerQueue *queue, Timer *timer)
{
        HeapSlot last;
        size_t i;

        if (timer->slot == 0)
                return;
        i = timer->slot - 1;
        timer->slot = 0;
        last = queue->heap[--queue->n];
        if (i < queue->n)
                sift(queue, i, last);
}

usec_t timer_queue_next(const TimerQueue *queue)
{
        return queue->n > 0 ? queue->heap[0].due : USEC_INFINITY;
}

size_t timer_queue_size(const TimerQueue *queue)
{
        return queue->n;
}

size_t timer_queue_dispatch(TimerQueue *queue, usec_t now_boottime, size_t max)
{
        uint32_t limit = queue->sequence; /* what callbacks arm comes after this */
        usec_t began = now_boottime;
        size_t fired = 0;

        queue->dispatching = true;
        while (queue->n > 0 && (max == 0 || fired < max)) {
                Timer *timer = queue->heap[0].timer;

                if (queue->heap[0].due > now_boottime || (int32_t)(timer->sequence - limit) >= 0)
                        break;
                timer_disarm(queue, timer);
                timer->callback(timer, now_boottime);
                if (queue->meter)
                        began = queue->meter(began, queue->meter_userdata);
                fired++;
        }
        queue->dispatching = false;
        return fired;
}

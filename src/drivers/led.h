/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * LEDs of the kernel's LED class (Documentation/leds/leds-class.rst): taken over, switched, and
 * given back as they were. What a LED was is kept in a file for as long as it is ours, so that a
 * later process can give it back where this one could not.
 */

#include "base/macro.h"

/* LEDs owned by one LedSet at a time. */
#define LEDS_OWNED_MAX 256

typedef struct LedSet LedSet;
typedef struct Led Led;

/*
 * The LEDs in SYSFS_ROOT/class/leds (SYSFS_ROOT NULL: /sys); what they were is kept in
 * STATE_DIR/leds, which is made when the first is taken. -ENOMEM.
 */
int led_set_new(const char *sysfs_root, const char *state_dir, LedSet **ret);
/* Gives back what is still owned, without a report. Accepts NULL, returns NULL. */
LedSet *led_set_free(LedSet *set);
DEFINE_CLEANUP(LedSet *, led_set_free);

/*
 * Gives back what a process that ended without doing so has left; to be called at start. What
 * another living process owns is left alone. Returns the number of LEDs restored; each that can't
 * be is logged and tried again next time, but for LEDs that are gone. -errno where there is no directory but
 * something else in its place.
 */
int led_set_recover(LedSet *set);

/* Who owns the LED NAME of this set, NULL: nobody does here. */
const char *led_set_owner(LedSet *set, const char *name);

/*
 * Takes the LED NAME for OWNER (a name for people): its state is saved, its trigger cleared, and it
 * is dark. -EINVAL where NAME is no LED's name, -ENODEV where there is no such LED, -EBUSY where it is
 * owned, here or by another process, -EUSERS above LEDS_OWNED_MAX, -EACCES and other errno.
 */
int led_acquire(LedSet *set, const char *name, const char *owner, Led **ret);
/* At its maximal brightness, or dark. A short write into sysfs; -ENODEV where the LED is gone, errno. */
int led_switch(Led *led, bool on);
/*
 * Gives the LED back as it was and frees LED in any case. A LED that is gone needs nothing: 0. On an
 * error its saved state is kept for led_set_recover().
 */
int led_release(Led *led);

/*
 * 0, or why what the LED taken last was could not be written, so that a process that crashes leaves it as it is then.
 */
int led_set_error(const LedSet *set);

bool led_name_is_valid(const char *name);

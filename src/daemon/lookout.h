/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Looks for what the files of a load mention beside jobs: programs, directories, files, LEDs, users. They may lie
 * anywhere, on a network file system that has hung too, so takt-worker looks, a batch after the other, and the loop
 * goes on meanwhile.
 */

#include "config/environment.h"
#include "config/settings.h"
#include "daemon/engine.h"
#include "daemon/loader.h"

/* How long all of a load may take; what was not looked for by then is not known. */
#define LOOKOUT_USEC (15 * USEC_PER_SEC)

typedef struct Lookout Lookout;

/* The last that is done with LOOKOUT, which may be freed in it. */
typedef void (*LookoutDone)(void *userdata);

/*
 * Begins with what LOADER and RESOURCES (all borrowed) mention; warnings go to LOADER. DONE is called once, from the loop,
 * when all was looked for or no more can be. -ENOMEM.
 */
int lookout_new(Engine *engine, const Environment *environment, const Settings *settings, Loader *loader,
                const ResourceSet *resources, LookoutDone done, void *userdata, Lookout **ret);
/* DONE is not called any more. Accepts NULL. */
Lookout *lookout_free(Lookout *lookout);
DEFINE_CLEANUP(Lookout *, lookout_free);

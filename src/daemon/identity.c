/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/identity.h"

#include <sys/random.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#define APP_ID SD_ID128_MAKE(35, 4e, 69, 7b, 8d, 40, 4e, c9, 83, 6e, c3, f4, 82, 7a, 6b, 02)

SipKey machine_key(void)
{
        SipKey key = {};
        char host[256] = "";
        sd_id128_t id;

        if (sd_id128_get_machine_app_specific(APP_ID, &id) >= 0) {
                memcpy(&key, id.bytes, sizeof(key));
                return key;
        }
        (void)gethostname(host, sizeof(host) - 1);
        return (SipKey){ { siphash24(&key, host, strlen(host)), siphash24(&key, host, strlen(host) + 1) } };
}

void boot_id(uint8_t ret[static 16])
{
        sd_id128_t id;

        memset(ret, 0, 16);
        if (sd_id128_get_boot(&id) >= 0)
                memcpy(ret, id.bytes, 16);
        else
                /* Unlike that of any other start. */
                (void)getrandom(ret, 16, GRND_NONBLOCK);
}

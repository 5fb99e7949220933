#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whatever way a run ends, of whatever kind, whatever started it and with whatever around it: nothing of it is left.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
command -v flock >/dev/null || exit 77
exec python3 "$TAKT_SRCDIR/tests/restart/restart-property.py" --tries 3 --matrix

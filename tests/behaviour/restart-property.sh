#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What taktd promises about runs over all of its lives: the shortest walk to each promise, and random ones. Alone it is
# tests/restart/restart-property.py, which says how a walk that fails is repeated; make torture takes 20,000 seeds, each
# once. Here a walk fails where it does so in two of three tries: what the kernel runs first is not the seed's to say.
set -eu
: "${TAKT_SRCDIR:?}" "${TAKT_BUILDDIR:?}"
command -v flock >/dev/null || exit 77
exec python3 "$TAKT_SRCDIR/tests/restart/restart-property.py" --tries 3 --cases --seeds="${RESTART_SEEDS:-200}"

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# A coroutine in sh: adds up the numbers that are sent to it and yields the sum. See tally.job.
sum=0
echo "$sum"
while read -r value; do
        case $value in
        *throw*) sum=0 ;;               # taktctl send --throw reset tally
        *[!0-9-]*) echo "no number: $value" >&2; continue ;;
        *) sum=$((sum + value)) ;;
        esac
        echo "$sum"
done

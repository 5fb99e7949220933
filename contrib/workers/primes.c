/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A worker in C: how many primes are below a number? See primes.job. cc -O2 -o bin/primes primes.c
 * It reads a number a line and answers with a number a line; nothing else may go to standard output.
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
        char line[64];

        while (fgets(line, sizeof(line), stdin)) {
                long below = strtol(line, NULL, 10), count = 0;

                for (long n = 2; n < below; n++) {
                        long d = 2;

                        while (d * d <= n && n % d != 0)
                                d++;
                        count += d * d > n;
                }
                printf("%ld\n", count);
                fflush(stdout); /* or takt waits for an answer that is still in the buffer */
        }
        return 0;
}

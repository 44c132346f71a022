/* The linear blend whose weights a gate moves with the context: see serving/gate.py, serving/verdict.py. */
#include "gate.h"

/* Sixteen numbers from *from*, of which *count* are there; zeros after them. */
INLINE Many some_of(const float *from, long count) {
    if (count >= LANES) return load(from);
    float part[LANES] = {0};
    memcpy(part, from, (size_t)count * sizeof *part);
    return load(part);
}

enum { TOGETHER = 8 };

/* sums (count,) of weights[j] . turned, j < count <= TOGETHER, the rows of weights *width* apart: what was read of turned
   serves them all. */
INLINE void products(const float *weights, long count, long width, const float *turned, Many *sums) {
    const float *row[TOGETHER];
    Many own[TOGETHER] = {{0}};
    for (long j = 0; j < TOGETHER; j++) row[j] = weights + (j < count ? j : 0) * width;
    for (long i = 0; i < width; i++) {
        Many read = load(turned + i * LANES);
        for (int j = 0; j < TOGETHER; j++) own[j] += row[j][i] * read;
    }
    for (long j = 0; j < count; j++) sums[j] = own[j];
}

INLINE Many times(const float *weights, long width, const float *turned) {
    Many even = {0}, odd = {0};
    long i = 0;
    for (; i + 1 < width; i += 2) {
        even += weights[i] * load(turned + i * LANES);
        odd += weights[i + 1] * load(turned + (i + 1) * LANES);
    }
    return i < width ? even + odd + weights[i] * load(turned + i * LANES) : even + odd;
}

/* out (n, c): table[0] . x + sum over the units h of on_h table[1 + h] . x, x a column of rows (n, width, c).
   on_h = tanh(slopes[h] . z + bias[h]), or 1 and 0 by its sign (steps); z: context (n, c, g). units may be 0. alike: how
   many of the first numbers of z are all that slopes read, see gate.h; 0: they read more. Returns 0, or -1 without memory. */
WIDE int linear(const float *table, long width, const float *slopes, const float *bias, long units, int steps, long alike,
                const float *rows, const float *context, long n, long c, long g, float *out) {
    float *turned = borrow(HELD, (size_t)((width + g) * LANES + width) * sizeof *turned);
    if (!turned) return -1;
    float *moment = turned + width * LANES, *own = moment + g * LANES;
    for (long q = 0; q < n; q++) {
        if (alike && c) settled(table, width, slopes, bias, units, steps, alike, context + q * c * g, c, g, own);
        for (long start = 0; start < c; start += LANES) {
            long count = c - start < LANES ? c - start : LANES;
            for (long row = 0; row < width; row++)
                store(turned + row * LANES, some_of(rows + (q * width + row) * c + start, count));
            Many total = times(alike ? own : table, width, turned);
            if (units && !alike) turn(context + (q * c + start) * g, count, g, moment);
            for (long unit = 0; unit < units && !alike; unit += TOGETHER) {
                long some = units - unit < TOGETHER ? units - unit : TOGETHER;
                Many level[TOGETHER], said[TOGETHER];
                products(slopes + unit * g, some, g, moment, level);
                products(table + (1 + unit) * width, some, width, turned, said);
                for (long j = 0; j < some; j++) total += switched(level[j] + bias[unit + j], steps) * said[j];
            }
            memcpy(out + q * c + start, &total, (size_t)count * sizeof *out);
        }
    }
    hand_back(HELD, turned);
    return 0;
}

/* The linear blend whose weights a gate moves with the context: see serving/gate.py, serving/verdict.py. */
#include "common.h"

/* Sixteen numbers from *from*, of which *count* are there; zeros after them. */
INLINE Many some_of(const float *from, long count) {
    if (count >= LANES) return load(from);
    float part[LANES] = {0};
    memcpy(part, from, (size_t)count * sizeof *part);
    return load(part);
}

INLINE Many times(const float *weights, long count, const float *turned) {
    Many even = {0}, odd = {0};
    long i = 0;
    for (; i + 1 < count; i += 2) {
        even += weights[i] * load(turned + i * LANES);
        odd += weights[i + 1] * load(turned + (i + 1) * LANES);
    }
    return i < count ? even + odd + weights[i] * load(turned + i * LANES) : even + odd;
}

/* out (n, c): table[0] . x + sum over the units h of on_h table[1 + h] . x, x a column of rows (n, width, c).
   on_h = tanh(slopes[h] . z + bias[h]), or 1 and 0 by its sign (steps); z: context (n, c, g). units may be 0.
   Returns 0, or -1 without memory. */
WIDE int linear(const float *table, long width, const float *slopes, const float *bias, long units, int steps,
                const float *rows, const float *context, long n, long c, long g, float *out) {
    float *turned = borrow(HELD, (size_t)((width + g) * LANES) * sizeof *turned);
    if (!turned) return -1;
    float *moment = turned + width * LANES;
    for (long q = 0; q < n; q++)
        for (long start = 0; start < c; start += LANES) {
            long count = c - start < LANES ? c - start : LANES;
            for (long row = 0; row < width; row++)
                store(turned + row * LANES, some_of(rows + (q * width + row) * c + start, count));
            Many total = times(table, width, turned);
            if (units) turn(context + (q * c + start) * g, count, g, moment);
            for (long unit = 0; unit < units; unit++) {
                Many level = times(slopes + unit * g, g, moment) + bias[unit];
                Many on = steps ? pick(level >= 0, all_of(1.0f), all_of(0.0f)) : tanh_of(level);
                total += on * times(table + (1 + unit) * width, width, turned);
            }
            memcpy(out + q * c + start, &total, (size_t)count * sizeof *out);
        }
    hand_back(HELD, turned);
    return 0;
}

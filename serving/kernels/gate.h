/* The gate of a blend: by how much its units are on, and what they make of the weights; see serving/gate.py. */
#ifndef CUVEE_GATE_H
#define CUVEE_GATE_H

#include "common.h"

INLINE Many switched(Many level, int steps) {
    return steps ? pick(level >= 0, all_of(1.0f), all_of(0.0f)) : tanh_of(level);
}

/* own (width,): the table (1 + units, width) as a gate weighs it that reads nothing but the first *alike* numbers of the
   context (c, g) of a question's candidates: those are the same for all of them, and 0 for padding. */
INLINE void settled(const float *table, long width, const float *slopes, const float *bias, long units, int steps,
                    long alike, const float *context, long c, long g, float *own) {
    const float *near = context;
    for (long row = 0; row < c && near == context; row++)
        for (long i = 0; i < alike; i++)
            if (context[row * g + i] != 0) near = context + row * g;
    memcpy(own, table, (size_t)width * sizeof *own);
    for (long unit = 0; unit < units; unit++) {
        float level = bias[unit];
        for (long i = 0; i < alike; i++) level += slopes[unit * g + i] * near[i];
        float on = switched(all_of(level), steps)[0];
        for (long i = 0; i < width; i++) own[i] += on * table[(1 + unit) * width + i];
    }
}

#endif

/* Whose part is what of the few candidates that are shown: see _Side.parts of serving/verdict.py. */
#include "gate.h"

enum { FEATURES = 6 };
int trees_owned(const float *columns, long m, long width, long trees, long size, const int64_t *feature,
                const float *threshold, const int32_t *ruled, const float *owned, long owners, float *out);

/* found (n, k, members + 1): of the candidates at places (n, k) each member's part of the linear blend, the last 0.
   table: (1 + units, FEATURES * members), gate and alike as in linear.c. rows: (n, FEATURES * members, c); context (n, c, g).
   Returns 0, or -1 without memory. */
WIDE int weighted(const float *table, long members, const float *slopes, const float *bias, long units, int steps,
                  long alike, const float *rows, const float *context, long n, long c, long g, const int64_t *places, long k,
                  float *found) {
    long width = FEATURES * members;
    float *turned = borrow(HELD, (size_t)((g + units) * LANES + g * LANES + width) * sizeof *turned);
    if (!turned) return -1;
    float *on = turned + g * LANES, *near = on + units * LANES, *weights = near + g * LANES;
    long moved = alike ? 0 : units; /* by each candidate's own context */
    for (long q = 0; q < n; q++) {
        if (alike && c) settled(table, width, slopes, bias, units, steps, alike, context + q * c * g, c, g, weights);
        for (long start = 0; start < k; start += LANES) {
            long count = k - start < LANES ? k - start : LANES;
            for (long lane = 0; lane < count && moved; lane++)
                memcpy(near + lane * g, context + (q * c + places[q * k + start + lane]) * g, (size_t)g * sizeof *near);
            if (moved) turn(near, count, g, turned);
            for (long unit = 0; unit < moved; unit++) {
                Many level = all_of(bias[unit]);
                for (long i = 0; i < g; i++) level += slopes[unit * g + i] * load(turned + i * LANES);
                store(on + unit * LANES, switched(level, steps));
            }
            for (long lane = 0; lane < count; lane++) {
                long place = places[q * k + start + lane];
                float *own = found + (q * k + start + lane) * (members + 1);
                if (!alike) memcpy(weights, table, (size_t)width * sizeof *weights);
                for (long unit = 0; unit < moved; unit++) {
                    float level = on[unit * LANES + lane];
                    const float *more = table + (1 + unit) * width;
                    for (long i = 0; i < width; i++) weights[i] += level * more[i];
                }
                for (long member = 0; member <= members; member++) own[member] = 0;
                for (long f = 0; f < FEATURES; f++)
                    for (long member = 0; member < members; member++) {
                        long row = f * members + member;
                        own[member] += weights[row] * rows[(q * width + row) * c + place];
                    }
            }
        }
    }
    hand_back(HELD, turned);
    return 0;
}

/* Adds to found (n, k, members + 1) what corrects the head. order: (n, m) places of the head; columns (n, m, width),
   looked (n, m) of it; moved: (n, c). own: (K,) where among the members those of the blend are. trees: 0 if there are
   none; owned: (leaves, K + 2). valid: (n, c). Returns 0, or -1 without memory. */
int corrected(const int64_t *places, long n, long k, long members, const int64_t *order, const float *columns, long m,
              long width, const float *looked, const float *moved, const uint8_t *valid, long c, const int64_t *own,
              long blended, long trees, long size, const int64_t *feature, const float *threshold,
              const int32_t *ruled, const float *owned, float *found) {
    long owners = blended + 2, many = n * k;
    float *read = borrow(HELD, (size_t)(many * (width + owners) + 1) * sizeof *read);
    int64_t *rank = borrow(FLAGS, (size_t)(many + 1) * sizeof *rank);
    int status = read && rank ? 0 : -1;
    long inside = 0;
    for (long i = 0; i < many && !status; i++) {
        const int64_t *places_of = order + i / k * m;
        rank[i] = PAD;
        for (long at = 0; at < m; at++)
            if (places_of[at] == places[i]) rank[i] = at;
        if (rank[i] >= 0)
            memcpy(read + inside++ * width, columns + (i / k * m + rank[i]) * width, (size_t)width * sizeof *read);
    }
    float *by_owner = read + many * width;
    if (!status && trees) status = trees_owned(read, inside, width, trees, size, feature, threshold, ruled, owned, owners, by_owner);
    for (long i = 0, at = 0; i < many && !status; i++) {
        long q = i / k;
        float *parts = found + i * (members + 1), context = moved[q * c + places[i]];
        int real = valid[q * c + places[i]];
        if (rank[i] >= 0) {
            const float *add = by_owner + at++ * owners;
            context += looked[q * m + rank[i]];
            if (trees && real) {
                float whole = 0, shared = 0;
                for (long b = 0; b < blended; b++) whole += fabsf(parts[own[b]]);
                float scale = whole > 1e-12f ? whole : 1e-12f;
                for (long b = 0; b < blended; b++) {
                    float share = fabsf(parts[own[b]]) / scale;
                    shared += share;
                    parts[own[b]] += add[b] + add[blended] * share;
                }
                context += add[blended + 1] + (shared < 0.5f ? add[blended] : 0.0f);
            }
        }
        if (real) parts[members] += context;
    }
    hand_back(HELD, read);
    hand_back(FLAGS, rank);
    return status;
}

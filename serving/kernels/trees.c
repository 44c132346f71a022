/* Small regression trees, many rows side by side: see serving/trees.py. */
#include "common.h"

/* Of 16 rows turned (columns, 16) the leaf that each reaches in one tree: the first that no failed condition rules out. */
INLINE void leaves_of(const float *turned, long tree, long trees, long size, const int64_t *feature,
                      const float *threshold, const int32_t *ruled, int32_t *leaf) {
    Whole gone = {0};
    for (long node = 0; node < size; node++) {
        long at = node * trees + tree;
        gone |= (load(turned + feature[at] * LANES) > threshold[at]) & ruled[at];
    }
    Many first = __builtin_convertvector(~gone & (gone + 1), Many); /* a power of two: its exponent is the place */
    Whole place = ((Whole)first >> 23) - 127;
    memcpy(leaf, &place, sizeof place);
}

/* out (m,) what the trees add in all to rows of columns (m, width). values: by leaf, size + 1 a tree. */
WIDE int trees_summed(const float *columns, long m, long width, long trees, long size, const int64_t *feature,
                      const float *threshold, const int32_t *ruled, const float *values, float *out) {
    float *turned = borrow(LANED, (size_t)(width * LANES) * sizeof *turned);
    if (!turned) return -1;
    for (long start = 0; start < m; start += LANES) {
        long rows = m - start < LANES ? m - start : LANES;
        double total[LANES] = {0};
        int32_t leaf[LANES];
        turn(columns + start * width, rows, width, turned);
        for (long tree = 0; tree < trees; tree++) {
            leaves_of(turned, tree, trees, size, feature, threshold, ruled, leaf);
            for (int lane = 0; lane < LANES; lane++) total[lane] += (double)values[tree * (size + 1) + leaf[lane]];
        }
        for (long lane = 0; lane < rows; lane++) out[start + lane] = (float)total[lane];
    }
    hand_back(LANED, turned);
    return 0;
}

/* out (m, owners) the same by owner. owned: (trees * (size + 1), owners). */
WIDE int trees_owned(const float *columns, long m, long width, long trees, long size, const int64_t *feature,
                     const float *threshold, const int32_t *ruled, const float *owned, long owners, float *out) {
    float *turned = borrow(LANED, (size_t)(width * LANES) * sizeof *turned);
    if (!turned) return -1;
    memset(out, 0, (size_t)(m * owners) * sizeof *out);
    for (long start = 0; start < m; start += LANES) {
        long rows = m - start < LANES ? m - start : LANES;
        int32_t leaf[LANES];
        turn(columns + start * width, rows, width, turned);
        for (long tree = 0; tree < trees; tree++) {
            leaves_of(turned, tree, trees, size, feature, threshold, ruled, leaf);
            for (long lane = 0; lane < rows; lane++) {
                const float *add = owned + (tree * (size + 1) + leaf[lane]) * owners;
                float *sum = out + (start + lane) * owners;
                for (long owner = 0; owner < owners; owner++) sum[owner] += add[owner];
            }
        }
    }
    hand_back(LANED, turned);
    return 0;
}

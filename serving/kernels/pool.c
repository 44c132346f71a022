/* Candidates and what members say of them: see serving/pool.py, serving/arrays.py, serving/traces.py. */
#include "common.h"

enum { MARKS = 2 };

/* out (n, total): the distinct numbers of the parts' rows (n, sizes[p]), ascending, -1 after the last; of items below
   *catalogue*. Returns how many the longest row has, or -1 without memory. */
long joined(const int32_t *const *parts, const int64_t *sizes, long count, long n, long total, long catalogue,
            int32_t *out) {
    long words = catalogue / 64 + 1, width = 0;
    uint64_t *held = calloc((size_t)words, sizeof *held);
    if (!held) return -1;
    for (long q = 0; q < n; q++) {
        long low = words, high = 0, found = 0;
        for (long p = 0; p < count; p++)
            for (long i = 0; i < sizes[p]; i++) {
                int32_t item = parts[p][q * sizes[p] + i];
                if (item < 0) continue;
                held[item / 64] |= (uint64_t)1 << (item % 64);
                low = item / 64 < low ? item / 64 : low;
                high = item / 64 > high ? item / 64 : high;
            }
        for (long word = low; word <= high; word++)
            for (uint64_t left = held[word]; left; left &= left - 1)
                out[q * total + found++] = (int32_t)(word * 64 + __builtin_ctzll(left));
        if (low <= high) memset(held + low, 0, (size_t)(high - low + 1) * sizeof *held);
        for (long i = found; i < total; i++) out[q * total + i] = PAD;
        width = found > width ? found : width;
    }
    free(held);
    return width;
}

/* out (n, count, c) of arrays (n, m) those at candidates (n, c); NaN where one is padding (-1). */
void gathered(const float *const *arrays, long count, long n, long m, const int32_t *candidates, long c, float *out) {
    for (long q = 0; q < n; q++)
        for (long p = 0; p < count; p++) {
            const float *row = arrays[p] + q * m;
            const int32_t *wanted = candidates + q * c;
            float *into = out + (q * count + p) * c;
            for (long i = 0; i < c; i++) into[i] = wanted[i] < 0 ? NAN : row[wanted[i]];
        }
}

/* The newest h entries of every history, oldest first: out (n, h) items, -1 after the last; marks (n, h, MARKS). */
void newest(const int64_t *indptr, const int32_t *items, const float *ages, const float *counts, long n, long h,
            int32_t *out, float *marks) {
    for (long q = 0; q < n; q++) {
        long start = indptr[q + 1] - h > indptr[q] ? indptr[q + 1] - h : indptr[q], size = indptr[q + 1] - start;
        for (long i = 0; i < h; i++) {
            float *mark = marks + (q * h + i) * MARKS;
            out[q * h + i] = i < size ? items[start + i] : PAD;
            mark[0] = i < size ? log1pf(ages[start + i]) : 0.0f;
            mark[1] = i < size ? log1pf(counts[start + i]) : 0.0f;
        }
    }
}

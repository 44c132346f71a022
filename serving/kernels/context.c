/* What a candidate is to this user at this moment: see serving/context.py. */
#include "common.h"

enum {
    HISTORY, RECENCY, PRICE, PRICE_GAP, SHARE, RECENT = SHARE + 4, COUNT_LEAF = RECENT + 4, COUNT_BRAND, AGE_LEAF,
    MET, MET_AGE, MET_DUE, WIDTH
};
enum { KINDS = 4, LEAF = 2, BRAND = 3 };
static const float NEVER = -1.0f;
static const double DAY = 86400e6;

/* out (n, c, WIDTH). The history of question q lies from indptr[q] to indptr[q + 1], oldest first: items (rows of the
   catalogue), ages, recent (how much it weighs by then), counts, last and first (microseconds).
   codes: (items of the catalogue, KINDS) below *width*, those of *nameless* (KINDS,) count for nothing; prices by row.
   candidates: (n, c), -1 is padding. Returns 0, or -1 without memory. */
int context(const int64_t *indptr, const int32_t *items, const float *ages, const float *recent, const float *counts,
            const int64_t *last, const int64_t *first, long n, const int32_t *codes, const int32_t *nameless, long width,
            const float *prices, long catalogue, const int32_t *candidates, long c, float *out) {
    /* entry: of an item one more than its place in the history. held, faded, newest: by code. */
    size_t numbers = (size_t)catalogue * sizeof(int32_t) + 3 * (size_t)width * sizeof(float);
    int32_t *entry = calloc(1, numbers);
    if (!entry) return -1;
    float *held = (float *)(entry + catalogue), *faded = held + width, *newest = faded + width;
    for (long q = 0; q < n; q++) {
        long start = indptr[q], end = indptr[q + 1], size = end - start;
        float total = 0, spent = 0;
        for (long e = start; e < end; e++) {
            const int32_t *kinds = codes + (long)items[e] * KINDS;
            entry[items[e]] = (int32_t)(e - start) + 1;
            total += recent[e];
            spent += prices[items[e]];
            for (int kind = 0; kind < KINDS; kind++) {
                held[kinds[kind]] += 1;
                faded[kinds[kind]] += recent[e];
            }
            newest[kinds[LEAF]] = ages[e]; /* oldest first: the newest stays */
        }
        float usual = size ? (float)((double)spent / (double)size) : 0.0f;
        float history = (float)log1p((double)size), recency = size ? log1pf(ages[end - 1]) : NEVER;
        float whole = size ? (float)size : 1e-6f, fading = total > 1e-6f ? total : 1e-6f;
        for (long i = 0; i < c; i++) {
            float *row = out + (q * c + i) * WIDTH;
            int32_t item = candidates[q * c + i];
            if (item < 0) {
                memset(row, 0, WIDTH * sizeof *row);
                continue;
            }
            const int32_t *kinds = codes + (long)item * KINDS;
            row[HISTORY] = history;
            row[RECENCY] = recency;
            row[PRICE] = prices[item];
            row[PRICE_GAP] = size ? prices[item] - usual : 0.0f;
            for (int kind = 0; kind < KINDS; kind++) {
                int named = kinds[kind] != nameless[kind];
                row[SHARE + kind] = named ? held[kinds[kind]] / whole : 0.0f;
                row[RECENT + kind] = named ? faded[kinds[kind]] / fading : 0.0f;
            }
            float leaf = kinds[LEAF] != nameless[LEAF] ? held[kinds[LEAF]] : 0.0f;
            float brand = kinds[BRAND] != nameless[BRAND] ? held[kinds[BRAND]] : 0.0f;
            row[COUNT_LEAF] = leaf > 0 ? log1pf(leaf) : 0.0f;
            row[COUNT_BRAND] = brand > 0 ? log1pf(brand) : 0.0f;
            row[AGE_LEAF] = leaf > 0 ? log1pf(newest[kinds[LEAF]]) : NEVER;
            row[MET] = 0;
            row[MET_AGE] = row[MET_DUE] = NEVER;
            if (entry[item]) {
                long e = start + entry[item] - 1;
                double between = (double)(last[e] - first[e]) / DAY / (double)(counts[e] - 1 > 1 ? counts[e] - 1 : 1);
                double due = (double)ages[e] / (between > 1 ? between : 1);
                row[MET] = log1pf(counts[e]);
                row[MET_AGE] = log1pf(ages[e]);
                if (counts[e] > 1) row[MET_DUE] = (float)(due < 10 ? due : 10);
            }
        }
        for (long e = start; e < end; e++) {
            const int32_t *kinds = codes + (long)items[e] * KINDS;
            entry[items[e]] = 0;
            for (int kind = 0; kind < KINDS; kind++) held[kinds[kind]] = faded[kinds[kind]] = 0;
        }
    }
    free(entry);
    return 0;
}

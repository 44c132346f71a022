/* From what each part adds to the order of a list: see serving/trees.py, serving/breadth.py, serving/ranking.py. */
#include "common.h"

enum { SPARED = 3 };

/* moved, out (n, c): what `spread` of serving/trees.py says. total (n, c), of padding -inf; order, added (n, m). */
int spread(const float *total, long n, long c, const int64_t *order, const float *added, long m, float *moved,
           float *out) {
    uint8_t *corrected = borrow(KEYS, (size_t)c + 1);
    if (!corrected) return -1;
    for (long q = 0; q < n; q++) {
        const float *own = total + q * c;
        float lowest = INFINITY, highest = -INFINITY;
        memset(corrected, 0, (size_t)c);
        for (long i = 0; i < m; i++) {
            long place = order[q * m + i];
            float level = own[place] + added[q * m + i];
            corrected[place] = 1;
            if (isfinite(level) && level < lowest) lowest = level;
        }
        for (long i = 0; i < c; i++)
            if (!corrected[i] && own[i] > highest) highest = own[i];
        float move = isfinite(highest) && lowest < highest ? lowest - highest : 0.0f;
        for (long i = 0; i < c; i++) moved[q * c + i] = out[q * c + i] = !corrected[i] && isfinite(own[i]) ? move : 0.0f;
        for (long i = 0; i < m; i++) {
            long place = order[q * m + i];
            if (own[place] > -INFINITY) out[q * c + place] = added[q * m + i];
        }
    }
    hand_back(KEYS, corrected);
    return 0;
}

/* held (n, c): see held_back of serving/breadth.py. sold: (n, c) of *stride* numbers between two questions. */
void held_back(const float *sold, long stride, const uint8_t *valid, const float *total, long n, long c, float *held) {
    for (long q = 0; q < n; q++) {
        float *own = held + q * c, highest = 1e-6f;
        for (long i = 0; i < c; i++) {
            float value = sold[q * stride + i];
            own[i] = valid[q * c + i] && isfinite(value) && value > 0 ? log1pf(value) : 0.0f;
            highest = own[i] > highest ? own[i] : highest;
        }
        for (long i = 0; i < c; i++) own[i] /= highest;
        uint64_t first[SPARED] = {0}; /* the best three; 0 is below every key */
        for (long i = 0; i < c; i++) {
            if (!valid[q * c + i] || !(total[q * c + i] > -INFINITY)) continue;
            uint64_t key = key_of(total[q * c + i], (uint32_t)i);
            for (int rank = 0; rank < SPARED; rank++)
                if (key > first[rank]) {
                    uint64_t swap = first[rank];
                    first[rank] = key;
                    key = swap;
                }
        }
        for (int rank = 0; rank < SPARED; rank++)
            if (first[rank]) own[place_of(first[rank])] *= (float)rank / (float)SPARED;
    }
}

/* places (n, c): those whose total (n, c; of padding: valid is 0, any number) is within *rounding* of one of the k
   highest, ascending, -1 after the last. Returns how many the longest row has, or -1 without memory. */
long contenders(const float *total, const uint8_t *valid, long n, long c, long k, float rounding, int64_t *places) {
    uint64_t *keys = borrow(KEYS, (size_t)(c + 1) * sizeof *keys);
    if (!keys) return -1;
    long width = 0;
    for (long q = 0; q < n; q++) {
        const float *own = total + q * c;
        long count = 0, found = 0;
        float furthest = 0;
        for (long i = 0; i < c; i++)
            if (valid[q * c + i] && own[i] > -INFINITY) {
                keys[count++] = key_of(own[i], (uint32_t)i);
                furthest = fabsf(own[i]) > furthest ? fabsf(own[i]) : furthest;
            }
        float bound = -INFINITY;
        if (count > k && k > 0) {
            largest_first(keys, count, k);
            bound = INFINITY;
            for (long i = 0; i < k; i++)
                if (own[place_of(keys[i])] < bound) bound = own[place_of(keys[i])];
            bound -= rounding * (1 + furthest);
        }
        for (long i = 0; i < c; i++)
            if (valid[q * c + i] && own[i] > -INFINITY && own[i] >= bound) places[q * c + found++] = i;
        for (long i = found; i < c; i++) places[q * c + i] = PAD;
        width = found > width ? found : width;
    }
    hand_back(KEYS, keys);
    return width;
}

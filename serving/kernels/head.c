/* The best candidates of the linear blend, and what trees and networks read of them: see serving/trees.py. */
#include "common.h"

enum { VALUE, RRF, TOP, BORDA, VOTE, MISSING, FEATURES };
static const float UNKNOWN = -1e30f;

/* order (n, m): places of the m highest of total (n, c), ties to the earlier, padding (valid is 0) last.
   columns (n, m, 3 * K + 2 + g). rows: (n, FEATURES * K, c); scores: (n, K, c); context: (n, c, g).
   Returns 0, or -1 without memory. */
int head(const float *total, const uint8_t *valid, const float *rows, const float *scores, const float *context, long n,
         long c, long members, long g, long m, int64_t *order, float *columns) {
    uint64_t *keys = borrow(KEYS, 2 * (size_t)(c + 1) * sizeof *keys);
    if (!keys) return -1;
    long width = 3 * members + 2 + g;
    for (long q = 0; q < n; q++) {
        for (long i = 0; i < c; i++)
            keys[i] = key_of(valid[q * c + i] ? total[q * c + i] : -INFINITY, (uint32_t)i);
        descending(keys, keys + c, c);
        float best = 0;
        for (long rank = 0; rank < m; rank++) {
            long place = (long)place_of(keys[rank]);
            float *row = columns + (q * m + rank) * width;
            order[q * m + rank] = place;
            for (long k = 0; k < members; k++) {
                const float *of = rows + (q * FEATURES * members + k) * c + place;
                float score = scores[(q * members + k) * c + place], top = of[TOP * members * c];
                int known = isfinite(score) && of[MISSING * members * c] == 0;
                row[k] = known ? of[VALUE * members * c] : UNKNOWN;
                row[members + k] = known ? 1.0f / (top > 1e-6f ? top : 1e-6f) : UNKNOWN;
                row[2 * members + k] = known ? score : UNKNOWN;
            }
            float linear = valid[q * c + place] && isfinite(total[q * c + place]) ? total[q * c + place] : UNKNOWN;
            if (rank == 0) best = linear;
            row[3 * members] = linear;
            row[3 * members + 1] = linear - best;
            memcpy(row + 3 * members + 2, context + (q * c + place) * g, (size_t)g * sizeof *row);
        }
    }
    hand_back(KEYS, keys);
    return 0;
}

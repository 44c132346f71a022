/* Calibrated features of the members' scores: see serving/calibration.py. */
#include "common.h"

enum { VALUE, RRF, TOP, BORDA, VOTE, MISSING, FEATURES };
enum { RRF_OFFSET = 60, VOTES = 10 };

WIDE static void values(const float *scores, const uint8_t *scored, long c, float *out) {
    float low = INFINITY, high = -INFINITY;
    for (long i = 0; i < c; i++) {
        float below = scored[i] ? scores[i] : INFINITY, above = scored[i] ? scores[i] : -INFINITY;
        low = below < low ? below : low;
        high = above > high ? above : high;
    }
    double span = (double)high - (double)low;
    int spread = isfinite(span) && span > 0;
    for (long i = 0; i < c; i++) {
        double value = spread ? (double)(float)(scores[i] - low) / span : 1.0;
        value = value < 1.0 ? value : 1.0; /* a span beyond float32 overflows above the middle */
        out[i] = scored[i] ? (float)value : 0.0f;
    }
}

/* out (n, 6 * K, c), features then members, of scores (n, K, c); valid (n, c). Returns 0, or -1 without memory. */
int features(const float *scores, const uint8_t *valid, long n, long members, long c, float *out) {
    uint64_t *keys = borrow(KEYS, 2 * (size_t)(c + 1) * sizeof *keys + (size_t)(c + 1));
    if (!keys) return -1;
    uint64_t *spare = keys + c;
    uint8_t *scored = (uint8_t *)(spare + c);
    memset(out, 0, (size_t)n * FEATURES * (size_t)(members * c) * sizeof *out);
    for (long q = 0; q < n; q++) {
        const uint8_t *real = valid + q * c;
        long width = 0;
        for (long i = 0; i < c; i++) width += real[i];
        double among = (double)(float)(width > 1 ? width : 1);
        for (long member = 0; member < members; member++) {
            const float *own = scores + (q * members + member) * c;
            float *rows[FEATURES];
            for (int f = 0; f < FEATURES; f++) rows[f] = out + ((q * FEATURES + f) * members + member) * c;
            long count = 0;
            for (long i = 0; i < c; i++) {
                scored[i] = real[i] && isfinite(own[i]);
                if (scored[i]) keys[count++] = key_of(own[i], (uint32_t)i);
                rows[MISSING][i] = (float)(real[i] && !scored[i]);
            }
            values(own, scored, c, rows[VALUE]);
            descending(keys, spare, count);
            for (long rank = 0; rank < count; rank++) {
                uint32_t i = place_of(keys[rank]);
                rows[RRF][i] = (float)((RRF_OFFSET + 1.0) / (RRF_OFFSET + 1.0 + (double)rank));
                rows[TOP][i] = (float)(1.0 / (1.0 + (double)rank));
                rows[BORDA][i] = (float)(1.0 - (double)rank / among);
                rows[VOTE][i] = (float)(rank < VOTES);
            }
        }
    }
    hand_back(KEYS, keys);
    return 0;
}

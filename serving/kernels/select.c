/* The best of a row of scores, and keys in order. */
#include "common.h"

enum { FEW = 24, BLOCK = 16, DIGITS = 4 };

/* By value alone, as `descending` says. */
static void insert(uint64_t *keys, long count) {
    for (long i = 1; i < count; i++) {
        uint64_t key = keys[i];
        long at = i;
        for (; at > 0 && keys[at - 1] >> 32 < key >> 32; at--) keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* keys (count,) from the largest value, of equal values the lower place first if they come in the order of their places;
   spare (count,) is written over. One digit of eight bits after another, the lowest first; one that all share is passed
   over. */
void descending(uint64_t *keys, uint64_t *spare, long count) {
    if (count <= FEW) {
        insert(keys, count);
        return;
    }
    uint32_t held[DIGITS][256] = {{0}};
    for (long i = 0; i < count; i++)
        for (int digit = 0; digit < DIGITS; digit++) held[digit][(keys[i] >> (32 + 8 * digit)) & 255]++;
    uint64_t *from = keys, *to = spare;
    for (int digit = 0; digit < DIGITS; digit++) {
        int shift = 32 + 8 * digit;
        uint32_t *place = held[digit], next = 0;
        if (place[(from[0] >> shift) & 255] == (uint32_t)count) continue;
        for (int bucket = 255; bucket >= 0; bucket--) {
            uint32_t size = place[bucket];
            place[bucket] = next;
            next += size;
        }
        for (long i = 0; i < count; i++) to[place[(from[i] >> shift) & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys) memcpy(keys, from, (size_t)count * sizeof *keys);
}

/* The k largest of keys (count,) to the front, in any order: Hoare's selection. */
void largest_first(uint64_t *keys, long count, long k) {
    long low = 0, high = count - 1;
    while (low < high) {
        uint64_t a = keys[low], b = keys[(low + high) / 2], c = keys[high];
        uint64_t pivot = a > b ? (b > c ? b : (a > c ? c : a)) : (a > c ? a : (b > c ? c : b));
        long i = low, j = high;
        while (i <= j) {
            while (keys[i] > pivot) i++;
            while (keys[j] < pivot) j--;
            if (i <= j) {
                uint64_t swap = keys[i];
                keys[i++] = keys[j];
                keys[j--] = swap;
            }
        }
        if (k - 1 <= j) high = j;
        else if (k - 1 >= i) low = i;
        else return;
    }
}

WIDE static void maxima(const float *row, long blocks, float *highest) {
    for (long block = 0; block < blocks; block++) {
        float top = -INFINITY;
        for (int lane = 0; lane < BLOCK; lane++) {
            float value = row[block * BLOCK + lane];
            top = value > top ? value : top; /* NaN is not greater */
        }
        highest[block] = top;
    }
}

/* A bound that at least k of the row reach: the k-th highest of the maxima of its blocks. */
static float bound_of(const float *highest, long blocks, long k, uint64_t *keys) {
    for (long block = 0; block < blocks; block++) keys[block] = key_of(highest[block], (uint32_t)block);
    largest_first(keys, blocks, k);
    float bound = INFINITY;
    for (long i = 0; i < k; i++) {
        float value = highest[place_of(keys[i])];
        bound = value < bound ? value : bound;
    }
    return bound;
}

INLINE long collect(const float *row, long from, long to, float bound, uint64_t *keys, long count) {
    for (long at = from; at < to; at++)
        if (row[at] >= bound && row[at] > -INFINITY) keys[count++] = key_of(row[at], (uint32_t)at);
    return count;
}

/* The best of a row (m,) in order to the front of keys (k,), for a small k: each that beats the last so far moves up to its
   place. Returns how many there are. */
WIDE static long few(const float *row, long m, long k, uint64_t *keys) {
    long count = 0;
    float last = -INFINITY; /* what the next has to beat */
    for (long from = 0; from < m; from += BLOCK) {
        long to = from + BLOCK < m ? from + BLOCK : m;
        float top = -INFINITY;
        for (long at = from; at < to; at++) top = row[at] > top ? row[at] : top;
        if (!(top > last)) continue;
        for (long at = from; at < to; at++) {
            if (!(row[at] > last)) continue;
            uint64_t key = key_of(row[at], (uint32_t)at);
            long place = count < k ? count++ : k - 1;
            for (; place > 0 && keys[place - 1] >> 32 < key >> 32; place--) keys[place] = keys[place - 1];
            keys[place] = key;
            if (count == k) last = row[place_of(keys[k - 1])];
        }
    }
    return count;
}

/* out (n, k): columns of the k highest of each row of scores (n, m), best first, ties to the lower; -1 after the last.
   NaN and -inf are never chosen. Returns 0, or -1 without memory. */
int best(const float *scores, long n, long m, long k, int32_t *out) {
    uint64_t *keys = borrow(KEYS, 2 * (size_t)m * sizeof *keys + (size_t)(m / BLOCK + 1) * sizeof(float));
    if (!keys) return -1;
    uint64_t *spare = keys + m;
    float *highest = (float *)(spare + m);
    long blocks = m / BLOCK;
    for (long q = 0; q < n; q++) {
        const float *row = scores + q * m;
        long count = 0;
        if (k > 0 && blocks * 4 >= 5 * k) {
            maxima(row, blocks, highest);
            float bound = bound_of(highest, blocks, k, keys);
            for (long block = 0; block < blocks; block++)
                if (highest[block] >= bound) count = collect(row, block * BLOCK, (block + 1) * BLOCK, bound, keys, count);
            count = collect(row, blocks * BLOCK, m, bound, keys, count);
            descending(keys, spare, count);
        } else if (0 < k && k <= FEW) {
            count = few(row, m, k, keys);
        } else {
            count = collect(row, 0, m, -INFINITY, keys, count);
            descending(keys, spare, count);
        }
        long found = count < k ? count : k;
        for (long i = 0; i < found; i++) out[q * k + i] = (int32_t)place_of(keys[i]);
        for (long i = found; i < k; i++) out[q * k + i] = PAD;
    }
    hand_back(KEYS, keys);
    return 0;
}

/* The best products of a question's vector with those of items: coarse ones of all, exact ones of who could be best.
   See serving/members/codes.py. */
#include "common.h"

enum { TOGETHER = 4 }; /* questions for which codes are read once */

/* out (many, blocks, LANES): sums of codes (blocks, groups, LANES, 4) times asked (many, groups, 4). */
WIDE static void in_steps(const uint8_t *codes, long blocks, long groups, const int8_t *asked, long many, int32_t *out) {
    for (long q = 0; q < many; q++)
        for (long block = 0; block < blocks; block++)
            for (int lane = 0; lane < LANES; lane++) {
                int32_t sum = 0;
                for (long group = 0; group < groups; group++)
                    for (int i = 0; i < 4; i++)
                        sum += codes[((block * groups + group) * LANES + lane) * 4 + i] * asked[(q * groups + group) * 4 + i];
                out[(q * blocks + block) * LANES + lane] = sum;
            }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Has this processor the instruction that makes coarse products cheap. */
int scans(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vnni");
}

#define VNNI __attribute__((target("avx512f,avx512vnni")))

VNNI static inline __m512i four_of(const int8_t *asked) {
    int32_t four;
    memcpy(&four, asked, 4);
    return _mm512_set1_epi32(four);
}

/* The same of at most TOGETHER questions; the room of asked and out is that of TOGETHER. */
VNNI static void at_once(const uint8_t *codes, long blocks, long groups, const int8_t *asked, long many, int32_t *out) {
    for (long block = 0; block < blocks; block++) {
        __m512i sum[TOGETHER] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                                 _mm512_setzero_si512()};
        const uint8_t *own = codes + block * groups * 4 * LANES;
        if (many == 1)
            for (long group = 0; group < groups; group++)
                sum[0] = _mm512_dpbusd_epi32(sum[0], _mm512_loadu_si512(own + group * 4 * LANES), four_of(asked + group * 4));
        else
            for (long group = 0; group < groups; group++) {
                __m512i codes_of = _mm512_loadu_si512(own + group * 4 * LANES);
                for (long q = 0; q < TOGETHER; q++)
                    sum[q] = _mm512_dpbusd_epi32(sum[q], codes_of, four_of(asked + (q * groups + group) * 4));
            }
        for (long q = 0; q < many; q++) _mm512_storeu_si512(out + (q * blocks + block) * LANES, sum[q]);
    }
}
#else
int scans(void) { return 0; }
#define at_once in_steps
#endif

/* A question in eight bits: whole numbers times step; sum: of them; half: by how much, in all, rounding may be off. */
typedef struct { float step, half; int32_t sum; } Told;

static Told told(const float *question, long d, int8_t *asked) {
    float highest = 0, all = 0;
    for (long i = 0; i < d; i++) {
        highest = fabsf(question[i]) > highest ? fabsf(question[i]) : highest;
        all += fabsf(question[i]);
    }
    Told found = {highest > 0 ? highest / 127 : 1, all / 2, 0};
    for (long i = 0; i < d; i++) {
        int8_t whole = (int8_t)lrintf(question[i] / found.step);
        found.sum += whole;
        if (asked) asked[i] = whole;
    }
    return found;
}

/* out (items,): the products that sums stand for, and bias; own: room for (v,). */
WIDE static void widened(const int32_t *sums, Told question, const float *steps, long v, const int32_t *place,
                         const float *bias, long items, float *own, float *out) {
    float *near = place ? own : out;
    for (long i = 0; i < v; i++) near[i] = (float)(sums[i] - 128 * question.sum) * (steps[i] * question.step);
    if (place)
        for (long i = 0; i < items; i++) out[i] = own[place[i]];
    for (long i = 0; i < items; i++) out[i] += bias[i];
}

/* coarse (n, items): products of questions (n, d) with the vectors of items, and their bias, to within what `refined`
   allows for. codes: (blocks, groups, LANES, 4) of v vectors, 128 more than the numbers; steps: (v,) what one of a vector's
   numbers is worth. place: (items,) whose vector an item has; NULL: its own. bias: (items,). plain: do without the
   instruction that `scans` asks for. NaN where question or bias is. Returns 0, or -1 without memory. */
int coarse(const float *questions, long n, long d, const uint8_t *codes, long blocks, long groups, const float *steps,
           long v, const int32_t *place, const float *bias, long items, int plain, float *coarse) {
    long wide = blocks * LANES;
    int32_t *sums = borrow(CODED, (size_t)wide * (TOGETHER + 1) * 4 + (size_t)groups * 4 * TOGETHER);
    if (!sums) return -1;
    float *own = (float *)(sums + TOGETHER * wide);
    int8_t *asked = (int8_t *)(own + wide);
    for (long start = 0; start < n; start += TOGETHER) {
        long many = n - start < TOGETHER ? n - start : TOGETHER;
        Told question[TOGETHER];
        memset(asked, 0, (size_t)groups * 4 * TOGETHER);
        for (long q = 0; q < many; q++)
            if (!isnan(questions[(start + q) * d])) question[q] = told(questions + (start + q) * d, d, asked + q * groups * 4);
        (plain ? in_steps : at_once)(codes, blocks, groups, asked, many, sums);
        for (long q = 0; q < many; q++) {
            float *to = coarse + (start + q) * items;
            if (isnan(questions[(start + q) * d]))
                for (long i = 0; i < items; i++) to[i] = NAN;
            else
                widened(sums + q * wide, question[q], steps, v, place, bias, items, own, to);
        }
    }
    hand_back(CODED, sums);
    return 0;
}

INLINE float dot(const float *a, const float *b, long d) {
    Many sum = {0};
    long i = 0;
    for (; i + LANES <= d; i += LANES) sum += load(a + i) * load(b + i);
    float rest = 0, total = 0;
    for (; i < d; i++) rest += a[i] * b[i];
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    return total + rest;
}

/* The row of vectors (v, d) that an item has. */
INLINE const float *row_of(const float *vectors, const int32_t *place, long item, long d) {
    return vectors + (place ? place[item] : item) * d;
}

/* out (n, c): products of questions (n, d) with the vectors of items at candidates (n, c), and their bias; NaN where one
   is padding (-1). */
WIDE void exact(const float *questions, long n, long d, const float *vectors, const int32_t *place, const float *bias,
                const int32_t *candidates, long c, float *out) {
    for (long q = 0; q < n; q++)
        for (long i = 0; i < c; i++) {
            int32_t item = candidates[q * c + i], next = i + AHEAD < c ? candidates[q * c + i + AHEAD] : PAD;
            if (next >= 0) soon(row_of(vectors, place, next, d), d * 4);
            if (item < 0) {
                out[q * c + i] = NAN;
                continue;
            }
            out[q * c + i] = dot(questions + q * d, row_of(vectors, place, item, d), d) + bias[item];
        }
}

/* out (n, k): the items of the k highest exact products, best first, ties to the lower, -1 after the last.
   coarse (n, items) as above, -inf or NaN for who must not be shown. steps, sizes: (items,) what one of the numbers of an
   item's vector is worth, and half their sum: by so much a coarse product may be off. Returns 0, or -1 without memory. */
WIDE int refined(const float *questions, long n, long d, const float *vectors, const int32_t *place, const float *bias,
                 const float *steps, const float *sizes, const float *coarse, long items, long k, int32_t *out) {
    uint64_t *keys = borrow(CODED, 2 * (size_t)(items + 1) * sizeof *keys);
    if (!keys) return -1;
    for (long q = 0; q < n; q++) {
        const float *near = coarse + q * items;
        if (isnan(questions[q * d])) {
            for (long i = 0; i < k; i++) out[q * k + i] = PAD;
            continue;
        }
        Told question = told(questions + q * d, d, NULL);
        float step = question.step * 1.001f, half = question.half * 1.001f, bound = INFINITY;
        long count = 0;
        if (best(near, 1, items, k, out + q * k)) {
            hand_back(CODED, keys);
            return -1;
        }
        for (long i = 0; i < k; i++) {
            int32_t item = out[q * k + i], next = i + AHEAD < k ? out[q * k + i + AHEAD] : PAD;
            if (next >= 0) soon(row_of(vectors, place, next, d), d * 4);
            /* as many as are wanted score so much: nobody below is among the best */
            float low = -INFINITY;
            if (item >= 0) low = dot(questions + q * d, row_of(vectors, place, item, d), d) + bias[item];
            bound = low < bound ? low : bound;
        }
        for (long i = 0; i < items; i += LANES) {
            int some = 0, reach[LANES];
            long end = items - i < LANES ? items - i : LANES;
            for (long lane = 0; lane < end; lane++) {
                float value = near[i + lane];
                float far = steps[i + lane] * half + sizes[i + lane] * step + 1e-6f * (fabsf(value) + 2 * fabsf(bias[i + lane]));
                reach[lane] = value + far >= bound;
                some |= reach[lane];
            }
            for (long lane = 0; some && lane < end; lane++)
                if (reach[lane] && near[i + lane] > -INFINITY) {
                    float score = dot(questions + q * d, row_of(vectors, place, i + lane, d), d) + bias[i + lane];
                    keys[count++] = key_of(score, (uint32_t)(i + lane));
                }
        }
        descending(keys, keys + items, count);
        for (long i = 0; i < k; i++) out[q * k + i] = i < count ? (int32_t)place_of(keys[i]) : PAD;
    }
    hand_back(CODED, keys);
    return 0;
}

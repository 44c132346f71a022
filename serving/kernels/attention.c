/* The networks that look from the best candidates at what the user did last: see serving/attention.py. */
#include "common.h"

enum { MARKS = 2, BY_VIEW = 3, VIEWS = 3, TILE = 8 };
static const float UNKNOWN = -1e30f, FURTHEST = 4.0f, RANK_OFFSET = 5.0f, NOWHERE = -1e9f, SHORTEST = 1e-9f;

/* out[i * stride], i < d: the row *place* of vectors (v, d) at length one; zeros for padding. */
INLINE void unit(const float *vectors, long place, long d, long stride, float *out) {
    const float *row = vectors + (place < 0 ? 0 : place) * d;
    float square = 0;
    for (long i = 0; i < d; i++) square += row[i] * row[i];
    float length = sqrtf(square);
    float each = place < 0 ? 0.0f : 1.0f / (length > SHORTEST ? length : SHORTEST);
    for (long i = 0; i < d; i++) out[i * stride] = row[i] * each;
}

/* near (h, LANES): cosines of sixteen candidates (d, LANES) with entries (h, d), h a multiple of TILE. */
INLINE void cosines(const float *candidates, const float *entries, long d, long h, float *near) {
    for (long e = 0; e < h; e += TILE) {
        Many sum[TILE] = {{0}};
        for (long i = 0; i < d; i++) {
            Many own = load(candidates + i * LANES);
            for (int one = 0; one < TILE; one++) sum[one] += own * entries[(e + one) * d + i];
        }
        for (int one = 0; one < TILE; one++) store(near + (e + one) * LANES, sum[one]);
    }
}

/* told (BY_VIEW, LANES): what one view tells of sixteen candidates. base (h,): what an entry is worth beforehand. */
INLINE void look(const float *near, const float *base, const float *ages, float temperature, long h, float *told) {
    Many top = all_of(-INFINITY), sum = {0}, close = {0}, old = {0};
    for (long e = 0; e < h; e++) top = most(load(near + e * LANES) * temperature + base[e], top);
    for (long e = 0; e < h; e++) {
        Many at = load(near + e * LANES), weight = exp_of(at * temperature + base[e] - top);
        sum += weight;
        close += weight * at;
        old += weight * ages[e];
    }
    store(told, close / sum);
    store(told + LANES, old / sum / 3.0f);
    for (int lane = 0; lane < LANES; lane++) told[2 * LANES + lane] = (logf(sum[lane]) + top[lane]) / 5.0f;
}

/* read (width + members, LANES): turned columns standardised, ranks by their reciprocals, 0 where unknown; what is. */
INLINE void inputs(const float *turned, long members, long width, const float *center, const float *scale, float *read) {
    for (long i = 0; i < width; i++) {
        Many value = load(turned + i * LANES), shown = value;
        if (i >= members && i < 2 * members)
            shown = pick(value > 0, 1.0f / (most(value, all_of(1.0f)) + RANK_OFFSET), value);
        Many z = least(most((shown - center[i]) / scale[i], all_of(-FURTHEST)), all_of(FURTHEST));
        store(read + i * LANES, pick(value <= UNKNOWN, all_of(0.0f), z));
        if (i < members) store(read + (width + i) * LANES, pick(value <= UNKNOWN, all_of(1.0f), all_of(0.0f)));
    }
}

/* What one network says of inputs (many, LANES), its own views and the nearest entry (few, LANES).
   hidden: (many + few, units); bias, out: (units,). */
INLINE Many say(const float *hidden, const float *bias, const float *out, float last, long units, const float *read,
                long many, const float *own, long few) {
    Many said = all_of(last);
    for (long start = 0; start < units; start += TILE) {
        Many on[TILE] = {{0}};
        long count = units - start < TILE ? units - start : TILE;
        for (long i = 0; i < many + few; i++) {
            Many value = load(i < many ? read + i * LANES : own + (i - many) * LANES);
            const float *weight = hidden + i * units + start;
            if (count == TILE)
                for (int u = 0; u < TILE; u++) on[u] += value * weight[u];
            else
                for (long u = 0; u < count; u++) on[u] += value * weight[u];
        }
        for (long u = 0; u < count; u++) said += tanh_of(on[u] + bias[start + u]) * out[start + u];
    }
    return said;
}

/* What is known of one user's entries, h of them with padding to a multiple of TILE. */
typedef struct {
    long h;
    int some;
    float *entries, *ages, *base; /* (h, d), (h,), (views, h) */
} Past;

INLINE void remember(Past *past, const float *vectors, long d, const int32_t *items, const float *marks, long h,
                     const float *fade, long views) {
    past->some = 0;
    for (long e = 0; e < past->h; e++) {
        int known = e < h && items[e] >= 0;
        const float *mark = marks + e * MARKS;
        unit(vectors, known ? items[e] : PAD, d, 1, past->entries + e * d);
        past->ages[e] = known ? mark[0] : 0.0f;
        for (long view = 0; view < views; view++)
            past->base[view * past->h + e] =
                known ? mark[0] * fade[view * MARKS] + mark[1] * fade[view * MARKS + 1] : NOWHERE;
        past->some |= known;
    }
}

/* added (n, m) the mean of what the networks say of the candidates.
   columns: (n, m, width). vectors: (v, d). items: (n, h) places among them, -1 is padding; marks: (n, h, MARKS);
   candidates: (n, m). center, scale: (width,). temperature: (nets * VIEWS,); fade: (nets * VIEWS, MARKS).
   hidden: (nets, width + members + VIEWS * BY_VIEW + 1, units); bias, out: (nets, units); last: (nets,).
   Returns 0, or -1 without memory. */
WIDE int attend(const float *columns, long n, long m, const float *vectors, long d, const int32_t *items,
                const float *marks, long h, const int32_t *candidates, long members, long width, const float *center,
                const float *scale, long nets, long units, const float *temperature, const float *fade,
                const float *hidden, const float *bias, const float *out, const float *last, float *added) {
    long views = nets * VIEWS, few = VIEWS * BY_VIEW + 1, many = width + members, wide = (h + TILE - 1) / TILE * TILE;
    long numbers = LANES * (width + many + few + d + wide) + wide * (d + 1 + views);
    float *turned = borrow(HELD, (size_t)numbers * sizeof *turned);
    if (!turned) return -1;
    float *read = turned + LANES * width, *own = read + LANES * many, *lanes = own + LANES * few;
    float *near = lanes + LANES * d, *entries = near + LANES * wide;
    Past past = {wide, 0, entries, entries + wide * d, entries + wide * (d + 1)};
    for (long q = 0; q < n; q++) {
        remember(&past, vectors, d, items + q * h, marks + q * h * MARKS, h, fade, views);
        for (long start = 0; start < m; start += LANES) {
            long count = m - start < LANES ? m - start : LANES, first = q * m + start;
            turn(columns + first * width, count, width, turned);
            inputs(turned, members, width, center, scale, read);
            for (long lane = 0; lane < LANES; lane++)
                unit(vectors, candidates[first + (lane < count ? lane : 0)], d, LANES, lanes + lane);
            cosines(lanes, past.entries, d, wide, near);
            Many nearest = all_of(past.some ? NOWHERE : 0.0f), sum = {0};
            for (long e = 0; e < h && past.some; e++)
                if (items[q * h + e] >= 0) nearest = most(load(near + e * LANES), nearest);
            memset(own, 0, (size_t)(few * LANES) * sizeof *own);
            store(own + (few - 1) * LANES, nearest);
            for (long net = 0; net < nets; net++) {
                for (long view = net * VIEWS; view < (net + 1) * VIEWS && past.some; view++)
                    look(near, past.base + view * wide, past.ages, temperature[view], wide,
                         own + (view - net * VIEWS) * BY_VIEW * LANES);
                sum += say(hidden + net * (many + few) * units, bias + net * units, out + net * units, last[net], units,
                           read, many, own, few);
            }
            sum /= (float)nets;
            memcpy(added + first, &sum, (size_t)count * sizeof *added);
        }
    }
    hand_back(HELD, turned);
    return 0;
}

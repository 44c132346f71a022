/* Sums of rows of a sparse matrix: see serving/sparse.py. */
#include "common.h"

/* out (n, width), zeros before: for question q the sum of the rows of a sparse matrix (indptr, indices, data) that are
   named from asked[q] to asked[q + 1], each times its weight, added in that order. */
void added_up(const int64_t *asked, const int32_t *rows, const float *weights, long n, const int32_t *indptr,
              const int32_t *indices, const float *data, long width, float *out) {
    for (long q = 0; q < n; q++) {
        float *sum = out + q * width;
        for (long e = asked[q]; e < asked[q + 1]; e++) {
            if (e + AHEAD < asked[n]) {
                long next = indptr[rows[e + AHEAD]], bytes = (indptr[rows[e + AHEAD] + 1] - next) * 4;
                soon(indices + next, bytes);
                soon(data + next, bytes);
            }
            float weight = weights[e];
            for (long i = indptr[rows[e]]; i < indptr[rows[e] + 1]; i++) sum[indices[i]] += weight * data[i];
        }
    }
}

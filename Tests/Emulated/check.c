// Compares kernels with plain C whose instructions the machine at hand lacks: scripts/check-emulated.sh has the
// instructions emulated. Takes the names of instruction sets. Prints what differs and how much; ends with how many did.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CKernels.h"

static int failures = 0, checks = 0;

static void expect(bool holds, const char *what, int64_t a, int64_t b, double found) {
  checks++;
  if (holds) return;
  failures++;
  printf("%s (%lld, %lld): off by %g\n", what, (long long)a, (long long)b, found);
}

static uint64_t state = 1;
static float random_float(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (float)(int32_t)(state >> 32) * 0x1p-31f;
}

/// Zeroed; never given back.
static void *memory(int64_t bytes) {
  void *p = tk_allocate((size_t)bytes + 64);
  if (!p) exit(2);
  return p;
}

static float *floats(int64_t count, float size) {
  float *p = memory(4 * count);
  for (int64_t i = 0; i < count; i++) p[i] = random_float() * size;
  return p;
}

/// The largest difference, as a share of the largest number wanted.
static double distance(const float *found, const float *wanted, int64_t count) {
  double worst = 0, most = 1e-30;
  for (int64_t i = 0; i < count; i++) {
    double difference = fabs((double)found[i] - wanted[i]);
    if (!(difference <= worst)) worst = isnan(difference) ? INFINITY : difference;
    most = fmax(most, fabs((double)wanted[i]));
  }
  return worst / most;
}

static void check_products(const tk_kernels *tested, const tk_kernels *plain) {
  // Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, F32, IQ4_NL, IQ4_XS, MXFP4, with their bytes
  // and numbers a block.
  static const int types[][3] = {{2, 18, 32},   {3, 20, 32},   {6, 22, 32},    {7, 24, 32},
                                 {8, 34, 32},   {10, 84, 256}, {11, 110, 256}, {12, 144, 256},
                                 {13, 176, 256}, {14, 210, 256}, {0, 4, 1},     {20, 18, 32},
                                 {23, 136, 256}, {39, 17, 32}};
  static const int rows_of[] = {1, 2, 3, 4, 5, 11, 12, 13, 25, 49, 61};
  for (int t = 0; t < 14; t++) {
    for (int shape = 0; shape < 3; shape++) {
      const int64_t inputs = shape == 0 ? 256 : 512, outputs = shape == 2 ? 37 : 48;
      const int64_t blocks = inputs / 32, tiles = (outputs + 15) / 16;
      const int64_t bytes = outputs * inputs / types[t][2] * types[t][1];
      uint8_t *source = memory(bytes);
      if (types[t][0] == 0) {
        for (int64_t i = 0; i < outputs * inputs; i++) ((float *)source)[i] = random_float();
      } else {
        // Small enough bytes that no scale is infinite.
        for (int64_t i = 0; i < bytes; i++) source[i] = (uint8_t)((int)(random_float() * 127) & 0x3b);
      }
      tk_matrix m = {.outputs = outputs, .inputs = inputs, .blocks = blocks};
      if (!tk_format_for_type((uint32_t)types[t][0], &m.format)) exit(2);
      m.bytes_per_block = tk_format_bytes_per_block(m.format);
      m.factor = tk_pack_factor(
          tk_pack_magnitude((uint32_t)types[t][0], source, inputs, 0, outputs));
      uint8_t *packed = memory(tiles * blocks * m.bytes_per_block + 8192);
      m.tiles = packed;
      tk_pack_tiles(&m, (uint32_t)types[t][0], source, 0, tiles, packed);
      m.bias = shape == 1 ? floats(outputs, 1) : NULL;
      for (int i = 0; i < 11; i++) {
        const int64_t rows = rows_of[i], first = i % 3;
        const int64_t groups = (rows + first + TK_ROW_GROUP - 1) / TK_ROW_GROUP;
        tk_activation_block *x =
            memory(groups * TK_ROW_GROUP * blocks * (int64_t)sizeof(tk_activation_block));
        for (int64_t r = 0; r < rows + first; r++)
          plain->quantize(floats(inputs, 3), inputs, r, blocks, 0, blocks, x);
        float *wanted = floats(rows * outputs, 1), *found = memory(rows * outputs * 4);
        memcpy(found, wanted, (size_t)(rows * outputs) * 4);
        const bool accumulate = i % 2 == 1;
        plain->multiply(&m, 0, tiles, x, first, rows, wanted, outputs, accumulate);
        tested->multiply(&m, 0, tiles, x, first, rows, found, outputs, accumulate);
        const double off = distance(found, wanted, rows * outputs);
        expect(off < 1e-5, "product", types[t][0], rows, off);
      }
    }
  }
}

static void check_rows(const tk_kernels *tested, const tk_kernels *plain) {
  for (int64_t n = 1; n <= 200; n += 13) {
    const int64_t blocks = (n + 31) / 32;
    const float *x = floats(n, 4), *y = floats(n, 1), *z = floats(n, 1);
    float *a = memory(4 * n), *b = memory(4 * n);
    tested->rms_norm(x, y, n, 1e-5f, a), plain->rms_norm(x, y, n, 1e-5f, b);
    expect(distance(a, b, n) < 1e-5, "rms_norm", n, 0, distance(a, b, n));
    tested->layer_norm(x, y, z, n, 1e-5f, a), plain->layer_norm(x, y, z, n, 1e-5f, b);
    expect(distance(a, b, n) < 1e-5, "layer_norm", n, 0, distance(a, b, n));
    for (int32_t kind = 0; kind < 6; kind++) {
      tested->gated(x, y, n, kind, a), plain->gated(x, y, n, kind, b);
      expect(distance(a, b, n) < 1e-5, "gated", n, kind, distance(a, b, n));
    }
    tk_activation_block *q = memory(blocks * TK_ROW_GROUP * 64);
    tk_activation_block *p = memory(blocks * TK_ROW_GROUP * 64);
    tested->quantize(x, n, 0, blocks, 0, blocks, q), plain->quantize(x, n, 0, blocks, 0, blocks, p);
    for (int64_t i = 0; i < blocks; i++) {
      int worst = 0;
      for (int j = 0; j < 32; j++) {
        const int off = abs(q[i * TK_ROW_GROUP].q[j] - p[i * TK_ROW_GROUP].q[j]);
        if (off > worst) worst = off;
      }
      expect(worst <= 1, "quantize", n, i, worst);
    }
    expect(fabs(tested->dot(x, y, n) - plain->dot(x, y, n)) < 1e-4, "dot", n, 0, 0);
    expect(tested->maximum(x, n) == plain->maximum(x, n), "maximum", n, 0, 0);
    expect(tested->argmax(x, n) == plain->argmax(x, n), "argmax", n, 0, 0);
    const double sums[] = {tested->exp_sum(x, 4, n), plain->exp_sum(x, 4, n)};
    expect(fabs(sums[0] / sums[1] - 1) < 1e-5, "exp_sum", n, 0, sums[0] / sums[1] - 1);
  }
}

/// A state of either kind after some tokens, what they read from it, and what the convolution before it gives.
static void check_delta(const tk_kernels *tested, const tk_kernels *plain) {
  for (int64_t d = 2; d <= 128; d += 14) {
    const int64_t tokens = 1 + d % 9, key_stride = 2 * d + 3, value_stride = 21, gate_stride = 2;
    const float *keys = floats(tokens * key_stride, 1 / sqrtf((float)d));
    const float *values = floats(tokens * value_stride, 1);
    float *decays = floats(tokens * gate_stride, 0.5f), *betas = floats(tokens * gate_stride, 0.5f);
    for (int64_t i = 0; i < tokens * gate_stride; i++) decays[i] += 0.5f, betas[i] += 0.5f;
    const float *before = floats(16 * d, 1);
    float *states[2], *out[2];
    for (int s = 0; s < 2; s++) {
      states[s] = memory(16 * d * 4), out[s] = memory(tokens * 16 * 4);
      memcpy(states[s], before, (size_t)(16 * d) * 4);
      (s ? plain : tested)
          ->delta_rule(states[s], d, keys, keys + d, key_stride, values, value_stride, decays,
                       betas, gate_stride, tokens, out[s], 16);
    }
    const double off = fmax(distance(states[0], states[1], 16 * d),
                            distance(out[0], out[1], tokens * 16));
    expect(off < 1e-5, "delta_rule", d, tokens, off);
  }
  for (int64_t d = 1; d <= 128; d += 15) {
    const int64_t tokens = 1 + d % 6, map_stride = 2 * d + 3, value_stride = 21, gate_stride = 2;
    const float *maps = floats(tokens * map_stride, 1), *values = floats(tokens * value_stride, 1);
    float *decays = floats(tokens * gate_stride, 0.5f), *steps = floats(tokens * gate_stride, 1);
    for (int64_t i = 0; i < tokens * gate_stride; i++) decays[i] += 0.5f;
    const float *before = floats(16 * d, 1);
    float *states[2], *out[2];
    for (int s = 0; s < 2; s++) {
      states[s] = memory(16 * d * 4), out[s] = memory(tokens * 16 * 4);
      memcpy(states[s], before, (size_t)(16 * d) * 4);
      (s ? plain : tested)
          ->state_space(states[s], d, maps, maps + d, map_stride, values, value_stride, decays,
                        steps, gate_stride, 0.75f, tokens, out[s], 16);
    }
    const double off = fmax(distance(states[0], states[1], 16 * d),
                            distance(out[0], out[1], tokens * 16));
    expect(off < 1e-5, "state_space", d, tokens, off);
  }
  for (int64_t taps = 1; taps <= 5; taps++) {
    const int64_t count = 16 * taps, stride = count + 3;
    const float *rows[5], *weights = floats(taps * stride, 1);
    for (int64_t i = 0; i < taps; i++) rows[i] = floats(count, 2);
    float *a = memory(4 * count), *b = memory(4 * count);
    tested->short_convolution(rows, weights, taps, stride, count, taps % 2, a);
    plain->short_convolution(rows, weights, taps, stride, count, taps % 2, b);
    expect(distance(a, b, count) < 1e-5, "short_convolution", taps, count, distance(a, b, count));
  }
}

static void check_attention(const tk_kernels *tested, const tk_kernels *plain) {
  static const int widths[][2] = {{32, 32}, {64, 64}, {96, 128}, {128, 96}, {24, 40}, {256, 256}, {8, 8}, {72, 16}};
  for (int trial = 0; trial < 48; trial++) {
    const int32_t type = trial % 3;
    const int64_t d = widths[trial / 3 % 8][0], dv = widths[trial / 3 % 8][1];
    const int64_t kv_heads = 2, heads = kv_heads * (1 + trial % 5);
    // Many rows, or few of a long sequence, which workers share by positions.
    const int64_t rows = trial < 24 ? 21 : 1 + trial % 2, before = trial < 24 ? 70 : 500;
    const int64_t pages = (rows + before + TK_PAGE_POSITIONS - 1) / TK_PAGE_POSITIONS;
    const tk_kv_layout layout = {(int32_t)kv_heads, (int32_t)d, (int32_t)dv, type};
    const int64_t bytes = tk_kv_page_bytes(layout);
    const float *queries = floats(rows * heads * d, 1);
    const float *sinks = trial % 7 == 0 ? floats(heads, 1) : NULL;
    float *keys = floats((rows + before) * kv_heads * d, 1);
    float *values = floats((rows + before) * kv_heads * dv, 1);
    // In some, rows in the middle see each other, as an image's do.
    int64_t ends[21];
    const int64_t image_end = rows - 3;
    for (int64_t i = 0; i < rows; i++)
      ends[i] = before + (i >= 2 && i < image_end ? image_end : i + 1);
    float *out[3];
    void **memories[3];
    for (int s = 0; s < 3; s++) {
      const tk_kernels *kernels = s < 2 ? tested : plain;
      memories[s] = memory(pages * (int64_t)sizeof(void *));
      for (int64_t i = 0; i < pages; i++) {
        memories[s][i] = memory(bytes);
        memset(memories[s][i], 0xff, (size_t)bytes);
      }
      kernels->kv_store(layout, keys, kv_heads * d, values, kv_heads * dv, memories[s], 0,
                        rows + before);
      tk_attention_span span = {0, rows, before, memories[s], trial % 2 ? ends : NULL};
      out[s] = memory(rows * heads * dv * 4);
      tk_attention a = {.layout = layout,
                        .heads = (int32_t)heads,
                        .scale = 0.2f,
                        .softcap = trial % 4 == 1 ? 2 : 0,
                        .window = trial % 5 == 2 ? 67 : 0,
                        .query_stride = heads * d,
                        .output_stride = heads * dv,
                        .queries = queries,
                        .sinks = sinks,
                        .output = out[s],
                        .shared = memory(1 << 20),
                        .shared_bytes = 1 << 20};
      void *scratch = memory(tk_attention_scratch_bytes(layout));
      // Three workers, one after the other, and one alone.
      const int64_t workers = s == 0 ? 3 : 1;
      for (int64_t w = 0; w < workers; w++)
        kernels->attention(&a, &span, 1, workers, w, workers, scratch);
    }
    const double off = distance(out[0], out[2], rows * heads * dv);
    expect(off < 1e-4, "attention", type, d, off);
    expect(memcmp(out[0], out[1], (size_t)(rows * heads * dv) * 4) == 0,
           "attention of several workers", type, d, 0);
    for (int64_t i = 0; i < pages; i++)
      expect(memcmp(memories[0][i], memories[2][i], (size_t)bytes) == 0, "stored keys and values", type,
             d, (double)i);
  }
}

/// A product of rotated numbers by some kernels. // (rows, outputs)
static float *rotated_product(const tk_rotated_kernels *kernels, const tk_rotated_matrix *m,
                              const float *x, int64_t rows, int64_t count, const float *bias,
                              const float *addend) {
  const int64_t inputs = 128 * m->groups * m->chunks, first = rows - count;
  tk_rotated_rows r = {memory(rows * inputs * kernels->quant_bytes),
                       memory(rows * m->chunks * 4),
                       memory(rows * m->chunks * 16),
                       rows,
                       m->chunks,
                       m->groups};
  kernels->quantize(x, inputs, rows, 0, m->chunks, false, &r, 0);
  float *out = memory(count * m->outputs * 4);
  // In two parts, the second first.
  const int64_t pairs = m->outputs / TK_ROTATED_PAIR, parts[][2] = {{1, pairs}, {0, 1}};
  for (int i = 0; i < 2; i++)
    kernels->multiply(m, parts[i][0], parts[i][1], &r, first, count, out, m->outputs, bias, addend,
                      m->outputs);
  return out;
}

/// Against double precision, and to the bit against `other`, where the machine has such.
static void check_rotated(const tk_rotated_kernels *tested, const tk_rotated_kernels *other) {
  static const int counts[] = {1, 3, 5, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 64, 65};
  for (int trial = 0; trial < 15; trial++) {
    const int64_t groups = 3 + trial % 2, chunks = 1 + trial % 3, outputs = 96;
    const int64_t count = counts[trial], rows = count + trial % 4, inputs = 128 * groups * chunks;
    const float *w = floats(outputs * inputs, 1), *bias = trial % 5 ? floats(outputs, 1) : NULL;
    const float *x = floats(rows * inputs, 2);
    const float *addend = trial % 7 ? floats(count * outputs, 1) : NULL;
    tk_rotated_matrix m = {.outputs = outputs, .chunks = chunks, .groups = groups};
    uint8_t *tiles = memory(tk_rotated_matrix_bytes(outputs, chunks, groups) + 32768);
    m.tiles = tiles;
    tk_rotated_pack(&m, w, 0, outputs / TK_ROTATED_PAIR, tiles);
    const float *found = rotated_product(tested, &m, x, rows, count, bias, addend);
    double wrong = 0, all = 0;
    for (int64_t i = 0; i < count; i++) {
      for (int64_t o = 0; o < outputs; o++) {
        const float *row = x + (rows - count + i) * inputs;
        double sum = 0;
        for (int64_t k = 0; k < inputs; k++) sum += (double)row[k] * w[o * inputs + k];
        all += sum * sum;
        if (bias) sum += bias[o];
        if (addend) sum += addend[i * outputs + o];
        wrong += (found[i * outputs + o] - sum) * (found[i * outputs + o] - sum);
      }
    }
    expect(sqrt(wrong / all) < 0.02, "rotated product", inputs, count, sqrt(wrong / all));
    if (!other) continue;
    const float *same = rotated_product(other, &m, x, rows, count, bias, addend);
    expect(memcmp(found, same, (size_t)(count * outputs) * 4) == 0, "rotated product to the bit",
           inputs, count, 0);
  }
}

/// Attention without a mask by some kernels. // (n, d)
static float *attention_of(const tk_rotated_kernels *kernels, int64_t n, int64_t d, const float *q,
                           const float *k, const float *v) {
  float *out = memory(n * d * 4);
  tk_full_attention a = {d, n, 0.2f, q, d, out, d, memory(tk_full_attention_bytes(1, d, n))};
  kernels->attention_store(&a, 0, 1, 0, n, k, v, d);
  kernels->attention_run(&a, 0, 1, 0, n, memory(tk_full_attention_scratch_bytes(d, n)));
  return out;
}

static void check_full_attention(const tk_rotated_kernels *tested,
                                 const tk_rotated_kernels *other) {
  static const int lengths[] = {1, 2, 3, 8, 15, 16, 17, 32, 33, 64, 100, 131};
  for (int i = 0; i < 12; i++) {
    for (int64_t d = 32; d <= 96; d += 32) {
      const int64_t n = lengths[i];
      const float *q = floats(n * d, 3), *k = floats(n * d, 2), *v = floats(n * d, 1);
      const float *out = attention_of(tested, n, d, q, k, v);
      double worst = 0;
      for (int64_t r = 0; r < n; r++) {
        double weights[131], total = 0;
        for (int64_t p = 0; p < n; p++) {
          double score = 0;
          for (int64_t j = 0; j < d; j++) score += (double)q[r * d + j] * k[p * d + j];
          total += weights[p] = exp(score * 0.2);
        }
        for (int64_t j = 0; j < d; j++) {
          double wanted = 0;
          for (int64_t p = 0; p < n; p++) wanted += weights[p] / total * v[p * d + j];
          worst = fmax(worst, fabs(out[r * d + j] - wanted));
        }
      }
      expect(worst < 0.06, "full attention", n, d, worst);
      if (other)
        expect(memcmp(out, attention_of(other, n, d, q, k, v), (size_t)(n * d) * 4) == 0,
               "full attention to the bit", n, d, 0);
    }
  }
}

static const tk_kernels *kernels_named(const char *name, int32_t *set) {
  for (*set = TK_GENERIC; *set <= TK_NEON; ++*set) {
    const tk_kernels *kernels = tk_kernels_for(*set);
    if (kernels && strcmp(kernels->name, name) == 0) return kernels;
  }
  return NULL;
}

int main(int argc, char **argv) {
  const tk_kernels *plain = tk_kernels_for(TK_GENERIC);
  const tk_rotated_kernels *other = tk_rotated_kernels_for(TK_AVX2);
  if (argc < 2) return 2;
  for (int i = 1; i < argc; i++) {
    int32_t set;
    const tk_kernels *tested = kernels_named(argv[i], &set);
    const tk_rotated_kernels *rotated = tk_rotated_kernels_for(set);
    if (!tested || !rotated) {
      printf("no kernels named %s here\n", argv[i]);
      return 2;
    }
    const int failed_before = failures, checks_before = checks;
    // All that AMX has of its own is in sentence encoders' kernels; the rest is AVX-512's.
    if (set != TK_AMX) {
      check_products(tested, plain);
      check_rows(tested, plain);
      check_delta(tested, plain);
      check_attention(tested, plain);
    }
    check_rotated(rotated, other);
    check_full_attention(rotated, other);
    printf("%d checks of the kernels named %s, %d failed\n", checks - checks_before, argv[i],
           failures - failed_before);
  }
  return failures > 0;
}

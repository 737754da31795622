// The gated delta rule, Mamba-2's recurrence and the short convolution before either. Included once an instruction set,
// after vector_template.h.

/// One column of 16 of a head's state, for all tokens in turn: it stays in the nearest cache while they pass.
/// Two sums of each kind, so that an addition need not wait for the one before.
static void TK(delta_rule)(float *state, int64_t key_dim, const float *keys, const float *queries,
                           int64_t key_stride, const float *values, int64_t value_stride,
                           const float *decays, const float *betas, int64_t gate_stride,
                           int64_t tokens, float *out, int64_t out_stride) {
  for (int64_t t = 0; t < tokens; t++) {
    const float *key = keys + t * key_stride, *query = queries + t * key_stride;
    const v16 decay = TK(splat)(decays[t * gate_stride]);
    v16 a = TK(splat)(0), b = a;
    for (int64_t i = 0; i < key_dim; i += 2) {
      a = TK(fma)(TK(load)(state + 16 * i), TK(splat)(key[i]), a);
      b = TK(fma)(TK(load)(state + 16 * i + 16), TK(splat)(key[i + 1]), b);
    }
    const v16 known = (a + b) * decay;
    const v16 change =
        (TK(load)(values + t * value_stride) - known) * TK(splat)(betas[t * gate_stride]);
    a = b = TK(splat)(0);
    for (int64_t i = 0; i < key_dim; i += 2) {
      v16 first = TK(fma)(change, TK(splat)(key[i]), TK(load)(state + 16 * i) * decay);
      v16 second = TK(fma)(change, TK(splat)(key[i + 1]), TK(load)(state + 16 * i + 16) * decay);
      TK(store)(state + 16 * i, first);
      TK(store)(state + 16 * i + 16, second);
      a = TK(fma)(first, TK(splat)(query[i]), a);
      b = TK(fma)(second, TK(splat)(query[i + 1]), b);
    }
    TK(store)(out + t * out_stride, a + b);
  }
}

/// 16 of a head's numbers with their states, for all tokens in turn. Two tokens a way through the state, which then is
/// loaded and stored half as often; each number comes of the same operations as with one.
static void TK(state_space)(float *state, int64_t state_size, const float *inputs,
                            const float *outputs, int64_t map_stride, const float *values,
                            int64_t value_stride, const float *decays, const float *steps,
                            int64_t gate_stride, float skip, int64_t tokens, float *out,
                            int64_t out_stride) {
  int64_t t = 0;
  for (; t + 2 <= tokens; t += 2) {
    const float *b0 = inputs + t * map_stride, *c0 = outputs + t * map_stride;
    const float *b1 = b0 + map_stride, *c1 = c0 + map_stride;
    const v16 value0 = TK(load)(values + t * value_stride);
    const v16 value1 = TK(load)(values + (t + 1) * value_stride);
    const v16 decay0 = TK(splat)(decays[t * gate_stride]);
    const v16 decay1 = TK(splat)(decays[(t + 1) * gate_stride]);
    const v16 change0 = value0 * TK(splat)(steps[t * gate_stride]);
    const v16 change1 = value1 * TK(splat)(steps[(t + 1) * gate_stride]);
    v16 sum0 = value0 * TK(splat)(skip), sum1 = value1 * TK(splat)(skip);
    for (int64_t i = 0; i < state_size; i++) {
      v16 first = TK(fma)(change0, TK(splat)(b0[i]), TK(load)(state + 16 * i) * decay0);
      v16 second = TK(fma)(change1, TK(splat)(b1[i]), first * decay1);
      TK(store)(state + 16 * i, second);
      sum0 = TK(fma)(first, TK(splat)(c0[i]), sum0);
      sum1 = TK(fma)(second, TK(splat)(c1[i]), sum1);
    }
    TK(store)(out + t * out_stride, sum0);
    TK(store)(out + (t + 1) * out_stride, sum1);
  }
  for (; t < tokens; t++) {
    const float *b = inputs + t * map_stride, *c = outputs + t * map_stride;
    const v16 value = TK(load)(values + t * value_stride);
    const v16 decay = TK(splat)(decays[t * gate_stride]);
    const v16 change = value * TK(splat)(steps[t * gate_stride]);
    v16 sum = value * TK(splat)(skip);
    for (int64_t i = 0; i < state_size; i++) {
      v16 changed = TK(fma)(change, TK(splat)(b[i]), TK(load)(state + 16 * i) * decay);
      TK(store)(state + 16 * i, changed);
      sum = TK(fma)(changed, TK(splat)(c[i]), sum);
    }
    TK(store)(out + t * out_stride, sum);
  }
}

static void TK(short_convolution)(const float *const *rows, const float *weights, int64_t taps,
                                  int64_t weight_stride, int64_t count, bool silu, float *out) {
  for (int64_t i = 0; i < count; i += 16) {
    v16 sum = TK(splat)(0);
    for (int64_t j = 0; j < taps; j++)
      sum = TK(fma)(TK(load)(rows[j] + i), TK(load)(weights + j * weight_stride + i), sum);
    TK(store)(out + i, silu ? TK(activate)(sum, 0) : sum);
  }
}

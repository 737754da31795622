// Vectors of 16 floats: loads, reductions, functions and a block's quantisation; all inlined. Included
// once an instruction set, with TK(name) giving each copy its own names.

TK_INLINE v16 TK(load)(const float *p) { return *(const v16_unaligned *)p; }
TK_INLINE void TK(store)(float *p, v16 x) { *(v16_unaligned *)p = x; }
TK_INLINE v16 TK(splat)(float x) { return (v16)(x); }

TK_INLINE v16 TK(load_some)(const float *p, int64_t n, float fill) {
  v16 x = TK(splat)(fill);
  memcpy(&x, p, (size_t)n * 4);
  return x;
}
TK_INLINE void TK(store_some)(float *p, v16 x, int64_t n) { memcpy(p, &x, (size_t)n * 4); }

TK_INLINE v16 TK(fma)(v16 a, v16 b, v16 c) { return TK_FMA(a, b, c); }
// b where either is NaN.
TK_INLINE v16 TK(max)(v16 a, v16 b) { return TK_MAX(a, b); }
TK_INLINE v16 TK(min)(v16 a, v16 b) { return TK_MIN(a, b); }
TK_INLINE v16 TK(abs)(v16 a) { return __builtin_elementwise_abs(a); }
TK_INLINE float TK(sum)(v16 x) {
  typedef float v8 __attribute__((ext_vector_type(8)));
  typedef float v4 __attribute__((ext_vector_type(4)));
  v8 a = x.lo + x.hi;
  v4 b = a.lo + a.hi;
  return (b.x + b.z) + (b.y + b.w);
}
TK_INLINE float TK(max_of)(v16 x) {
  x = TK(max)(x, x.s89abcdef01234567);
  x = TK(max)(x, x.s4567012389abcdef);
  x = TK(max)(x, x.s2301674589abcdef);
  x = TK(max)(x, x.s1032547698badcfe);
  return x.x;
}

/// Rounds to nearest even by pushing the fraction out of a float: |x| < 2^22.
TK_INLINE v16 TK(round)(v16 x) {
  const v16 magic = TK(splat)(0x1.8p23f);
  v16 shifted = x + magic;
  return shifted - magic;
}

/// e^r for |r| up to log(2) / 2.
TK_INLINE v16 TK(exp_near_zero)(v16 r) {
  v16 p = TK(splat)(0x1.6a6p-10f);
  p = TK(fma)(p, r, TK(splat)(0x1.12259ap-7f));
  p = TK(fma)(p, r, TK(splat)(0x1.555a7p-5f));
  p = TK(fma)(p, r, TK(splat)(0x1.55548ep-3f));
  p = TK(fma)(p, r, TK(splat)(0x1.fffff8p-2f));
  p = TK(fma)(p, r, TK(splat)(1));
  return TK(fma)(p, r, TK(splat)(1));
}

/// e^x, relative error below 2e-7; 0 below -87.3, finite above.
TK_INLINE v16 TK(exp)(v16 x) {
#ifdef TK_SCALEF
  // The machine multiplies by 2^n itself and knows the ends of the range.
  v16 n = TK_ROUND(x * TK(splat)(0x1.715476p0f));
  v16 r = TK(fma)(n, TK(splat)(-0x1.62e4p-1f), x);
  r = TK(fma)(n, TK(splat)(-0x1.7f7d1cp-20f), r);
  return TK_SCALEF(TK(exp_near_zero)(r), n);
#else
  v16 bounded = TK(min)(TK(max)(x, TK(splat)(-87.3f)), TK(splat)(88.3f));
  // The integer part comes out in the low bits of the shifted sum.
  v16 shifted = TK(fma)(bounded, TK(splat)(0x1.715476p0f), TK(splat)(0x1.8p23f));
  v16 n = shifted - TK(splat)(0x1.8p23f);
  v16 r = TK(fma)(n, TK(splat)(-0x1.62e4p-1f), bounded);
  r = TK(fma)(n, TK(splat)(-0x1.7f7d1cp-20f), r);
  v16 p = TK(exp_near_zero)(r);
  i16 exponent = (i16)shifted << 23;
  v16 result = (v16)((i16)p + exponent);
  i16 tiny = x < TK(splat)(-87.3f);
  return (v16)((i16)result & ~tiny);
#endif
}

/// tanh(x) = 1 - 2 / (e^2x + 1)
TK_INLINE v16 TK(tanh)(v16 x) {
  v16 bounded = TK(min)(TK(max)(x, TK(splat)(-20)), TK(splat)(20));
  return TK(splat)(1) - TK(splat)(2) / (TK(exp)(bounded + bounded) + TK(splat)(1));
}

/// erf as x P(x^2) / Q(x^2), fitted to |x| < 3.92 (1 beyond); absolute error below 5e-7.
TK_INLINE v16 TK(erf)(v16 x) {
  const v16 end = TK(splat)(3.92f);
  v16 a = TK(min)(TK(max)(x, -end), end), u = a * a;
  v16 p = TK(splat)(1.9921328e-8f);
  p = TK(fma)(p, u, TK(splat)(-1.9942940e-6f));
  p = TK(fma)(p, u, TK(splat)(1.4898670e-4f));
  p = TK(fma)(p, u, TK(splat)(3.9728984e-3f));
  p = TK(fma)(p, u, TK(splat)(5.1397299e-2f));
  p = TK(fma)(p, u, TK(splat)(2.0611444e-1f));
  p = TK(fma)(p, u, TK(splat)(1.1283788f));
  v16 q = TK(splat)(1.0241248e-3f);
  q = TK(fma)(q, u, TK(splat)(1.4889231e-2f));
  q = TK(fma)(q, u, TK(splat)(1.1756464e-1f));
  q = TK(fma)(q, u, TK(splat)(5.1599293e-1f));
  q = TK(fma)(q, u, TK(splat)(1));
  // At the end exactly 1, for GELU multiplies what is missing there with its x.
  const i16 ended = TK(abs)(a) >= end;
  return (v16)(((i16)(a * TK(splat)(1 / 3.92f)) & ended) | ((i16)(a * p / q) & ~ended));
}

TK_INLINE v16 TK(activate)(v16 x, int32_t kind) {
  switch (kind) {
    case 0: return x / (TK(splat)(1) + TK(exp)(-x));
    case 1: {
      // (1 + tanh u) / 2 = 1 / (1 + e^-2u)
      v16 twice = TK(splat)(-2 * 0.79788456080286535588f) * x *
                  TK(fma)(TK(splat)(0.044715f) * x, x, TK(splat)(1));
      return x / (TK(splat)(1) + TK(exp)(twice));
    }
    case 4: return TK(splat)(1) / (TK(splat)(1) + TK(exp)(-x));
    case 5: {
      v16 above = TK(max)(x, TK(splat)(0));
      return above * above;
    }
    default:
      return TK(splat)(0.5f) * x * (TK(splat)(1) + TK(erf)(x * TK(splat)(0.70710678118654752f)));
  }
}

/// activation(gate) * up, where there is an `up`; kind 3 clamps both.
TK_INLINE v16 TK(combine)(v16 gate, v16 up, bool has_up, int32_t kind) {
  if (kind != 3) return has_up ? TK(activate)(gate, kind) * up : TK(activate)(gate, kind);
  const v16 limit = TK(splat)(7), one = TK(splat)(1);
  v16 x = TK(min)(gate, limit);
  v16 y = x / (one + TK(exp)(TK(splat)(-1.702f) * x));
  return has_up ? y * (TK(max)(TK(min)(up, limit), -limit) + one) : y;
}

TK_INLINE tk_activation_block *TK(block_at)(tk_activation_block *base, int64_t row, int64_t blocks,
                                            int64_t block) {
  return base + (row / TK_ROW_GROUP * blocks + block) * TK_ROW_GROUP + row % TK_ROW_GROUP;
}

/// 32 floats to int8, rounded to nearest, scale = max|x| / 127.
TK_INLINE void TK(quantize_block)(v16 a, v16 b, tk_activation_block *out) {
  // Without their signs, floats are ordered as integers are; NaN is above all.
  i16 bits = __builtin_elementwise_max((i16)TK(abs)(a), (i16)TK(abs)(b));
  float largest = tk_bits_to_float((uint32_t)__builtin_reduce_max(bits));
  float scale = largest * (1.0f / 127);
  float inverse = largest > 1e-35f ? 127 / largest : 0;
#ifdef TK_QUANTS
  int32_t sa, sb;
  TK_QUANTS(a * TK(splat)(inverse), b * TK(splat)(inverse), out->q, &sa, &sb);
#else
  v16 ra = TK(round)(a * TK(splat)(inverse)), rb = TK(round)(b * TK(splat)(inverse));
  i16 ia = __builtin_convertvector(ra, i16), ib = __builtin_convertvector(rb, i16);
  b16 qa = __builtin_convertvector(ia, b16), qb = __builtin_convertvector(ib, b16);
  memcpy(out->q, &qa, 16);
  memcpy(out->q + 16, &qb, 16);
  int32_t sa = __builtin_reduce_add(ia), sb = __builtin_reduce_add(ib);
#endif
  out->scale = scale;
  out->scaled_sum = scale * (float)(sa + sb);
  out->correction = -128 * (sa + sb);
  out->scaled_sum16[0] = scale * (float)sa;
  out->scaled_sum16[1] = scale * (float)sb;
  out->correction16[0] = -128 * sa;
  out->correction16[1] = -128 * sb;
  out->unused = 0;
}

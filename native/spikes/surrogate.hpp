// What the surrogates' formulas are spelled with. No fused multiply-adds: both forms give the same bits.
#pragma once

#include "kernels/float_vector.hpp"

#define NETWRIGHT_ALWAYS __attribute__((always_inline))

namespace netwright::NETWRIGHT_ISA {

NETWRIGHT_INLINE Vec squared(Vec x) { return x * x; }

// exp(x) for x <= 0 within 2e-7 relative (Cephes expf without fused steps); 0 below -87.
NETWRIGHT_INLINE Vec plain_exp(Vec x) {
  const IntVec gone = x < -87.0f;
  x = select(gone, splat(-87.0f), x);
  const IntVec whole = to_int(x * 1.44269504088896341f - 0.5f);  // towards zero, so |r| <= ln2 / 2 for x <= 0
  const Vec n = to_float(whole);
  const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  return select(gone, Vec{}, p * as_float((whole + 127) << 23));
}

}  // namespace netwright::NETWRIGHT_ISA

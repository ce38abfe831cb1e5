#include "kernels/float_batched.hpp"

#include "kernels/float_check.hpp"

namespace netwright {

const char* check::matmul_batched(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 1));
  const Operand &out = call.operand[0], &a = call.operand[1], &b = call.operand[2];
  const int rank = out.rank;
  NETWRIGHT_REFUSE_IF(rank < 2 || rank > kMaxRank, "the rank is not 2 to 6");
  const bool whole = out.format == Format::int32 || out.format == Format::int64;
  NETWRIGHT_REFUSE_IF(whole && call.real(0) != 1.0, "products of whole numbers are not scaled");
  for (int i = 0; i < 3; ++i) NETWRIGHT_TRY(view(call.operand[i], whole ? out.format : Format::fp32, rank));
  for (int d = 0; d < rank - 2; ++d)
    NETWRIGHT_REFUSE_IF(a.shape[d] != out.shape[d] || b.shape[d] != out.shape[d], "batches differ: broadcast by stride 0");
  NETWRIGHT_REFUSE_IF(a.shape[rank - 2] != out.shape[rank - 2] || b.shape[rank - 1] != out.shape[rank - 1] ||
                          a.shape[rank - 1] != b.shape[rank - 2],
                      "shapes are not [M, K] x [K, N] -> [M, N]");
  return contiguous(out, rank - 1) ? nullptr : "rows of out are not contiguous";
}

std::int64_t workspace::matmul_batched(const Call& call) {
  const Operand &out = call.operand[0], &a = call.operand[1];
  if (out.format != Format::fp32) return 0;
  return BatchedBlocks::of(out.shape[out.rank - 2], a.shape[a.rank - 1]).workspace_bytes();
}

}  // namespace netwright

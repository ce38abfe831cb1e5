// The checks of the opcodes that work row by row.
#include "kernels/quant_check.hpp"
#include "kernels/quant_opcodes.hpp"

namespace netwright::check {

const char* quantize_rows(const Call& call) {
  NETWRIGHT_TRY(counts(call, 2, 2, 0));
  NETWRIGHT_TRY(matrix(call.operand[1]));
  NETWRIGHT_REFUSE_IF(!is_activation(call.operand[0].format), "out is not act8x32 or act8x256");
  NETWRIGHT_REFUSE_IF(overlap(call.operand[0], call.operand[1]), "out overlaps what is read");
  return activation_or_matrix(call.operand[0], call.operand[1].shape[0], call.operand[1].shape[1]);
}

const char* rms_norm(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 1));
  const Operand &out = call.operand[0], &x = call.operand[1];
  NETWRIGHT_TRY(matrix(x));
  NETWRIGHT_TRY(activation_or_matrix(out, x.shape[0], x.shape[1]));
  NETWRIGHT_REFUSE_IF(!present(call, 2), "a required operand is absent");
  NETWRIGHT_REFUSE_IF(overlap(out, x) && !(out.format == Format::fp32 && same_start(out, x)), "out and x overlap, but are not one");
  NETWRIGHT_REFUSE_IF(overlap(out, call.operand[2]), "out overlaps what is read");
  NETWRIGHT_REFUSE_IF(!(call.real(0) >= 0.0), "epsilon is not a number from 0 up");
  return optional_vector(call, 2, x.shape[1]);
}

const char* glu(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 3));
  const Operand &out = call.operand[0], &gate = call.operand[1], &up = call.operand[2];
  NETWRIGHT_TRY(matrix(gate));
  NETWRIGHT_TRY(matrix_of(up, gate.shape[0], gate.shape[1]));
  NETWRIGHT_TRY(activation_or_matrix(out, gate.shape[0], gate.shape[1]));
  for (const Operand* other : {&gate, &up})
    NETWRIGHT_REFUSE_IF(overlap(out, *other) && !(out.format == Format::fp32 && same_start(out, *other)),
                        "out and an input overlap, but are not one");
  return fused_function(call, 0);
}

}  // namespace netwright::check

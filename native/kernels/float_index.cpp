// Movement by index: gather, gather_elements, gather_nd, scatter_nd. A negative index counts from the end; one that is
// still outside is held to the nearest element, so that no index read at run time can reach outside the table.
#include <algorithm>
#include <cstring>

#include "kernels/float_check.hpp"
#include "kernels/float_kernels.hpp"

namespace netwright {
namespace {

std::int64_t read_index(const std::byte* at, Format format, std::int64_t size) {
  std::int64_t index;
  if (format == Format::int64) {
    std::memcpy(&index, at, 8);
  } else {
    std::int32_t narrow;
    std::memcpy(&narrow, at, 4);
    index = narrow;
  }
  return std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size - 1);
}

const char* indices(const Operand& operand, std::int32_t rank) {
  NETWRIGHT_REFUSE_IF(operand.format != Format::int32 && operand.format != Format::int64, "indices are not int32 or int64");
  return check::view(operand, operand.format, rank);
}

const char* plain(const Operand& operand, Format format, std::int32_t rank) {
  NETWRIGHT_REFUSE_IF(check::element_bytes(format) == 0, "the format is not a plain one");
  return check::view(operand, format, rank);
}

std::int64_t count_of(const Operand& operand, int first = 0, int last = kMaxRank) {
  std::int64_t count = 1;
  for (int d = first; d < std::min(last, operand.rank); ++d) count *= operand.shape[d];
  return count;
}

// Splits a flat position over dims [first, last) and adds their strides.
std::byte* seek(const Operand& operand, std::byte* data, std::int64_t position, int first, int last) {
  for (int d = last - 1; d >= first; --d) data += position % operand.shape[d] * operand.stride[d], position /= operand.shape[d];
  return data;
}

// Dims [b_first, ...) of `b` at `from` to dims [a_first, ...) of `a` at `to`: their shapes are the same.
void copy_rest(const Operand& a, std::byte* to, int a_first, const Operand& b, std::byte* from, int b_first) {
  const std::int64_t bytes = check::element_bytes(a.format), count = count_of(a, a_first);
  const bool line = a.rank - a_first == 1 && a.stride[a_first] == bytes && b.stride[b_first] == bytes;
  if (line || a.rank == a_first) {
    std::memmove(to, from, std::size_t(bytes * count));
    return;
  }
  for (std::int64_t i = 0; i < count; ++i)
    std::memmove(seek(a, to, i, a_first, a.rank), seek(b, from, i, b_first, b.rank), std::size_t(bytes));
}

}  // namespace

const char* check::gather(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 0));
  const Operand &out = call.operand[0], &table = call.operand[1], &index = call.operand[2];
  NETWRIGHT_TRY(plain(out, out.format, 3));
  NETWRIGHT_TRY(plain(table, out.format, 3));
  NETWRIGHT_TRY(indices(index, 1));
  NETWRIGHT_REFUSE_IF(out.shape[0] != table.shape[0] || out.shape[2] != table.shape[2] || out.shape[1] != index.shape[0], "shapes do not agree");
  return table.shape[1] < 1 && index.shape[0] > 0 ? "the table is empty" : nullptr;
}

void baseline::gather(const Call& call) {
  const Operand &out = call.operand[0], &table = call.operand[1], &index = call.operand[2];
  const Piece mine = piece(call, out.shape[0] * out.shape[1]);
  for (std::int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const std::int64_t outer = unit / out.shape[1], i = unit % out.shape[1];
    const std::int64_t row = read_index(index.data + i * index.stride[0], index.format, table.shape[1]);
    copy_rest(out, out.data + outer * out.stride[0] + i * out.stride[1], 2, table, table.data + outer * table.stride[0] + row * table.stride[1], 2);
  }
}

const char* check::gather_elements(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 1));
  const Operand &out = call.operand[0], &x = call.operand[1], &index = call.operand[2];
  NETWRIGHT_TRY(plain(out, out.format, -1));
  NETWRIGHT_TRY(plain(x, out.format, out.rank));
  NETWRIGHT_TRY(indices(index, out.rank));
  NETWRIGHT_REFUSE_IF(!same_shape(out, index), "out has not the shape of the indices");
  NETWRIGHT_REFUSE_IF(out.rank < 1 || !in_range(call, 0, 1, 0, out.rank - 1), "the axis is out of range");
  for (int d = 0; d < out.rank; ++d)
    NETWRIGHT_REFUSE_IF(count_of(out) > 0 && (d == call.parameter[0] ? x.shape[d] < 1 : index.shape[d] > x.shape[d]), "the indices reach beyond x");
  return nullptr;
}

void baseline::gather_elements(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1], &index = call.operand[2];
  const auto axis = int(call.parameter[0]);
  const std::int64_t bytes = check::element_bytes(out.format);
  const Piece mine = piece(call, count_of(out), 64);
  for (std::int64_t i = mine.begin; i < mine.end; ++i) {
    std::byte* from = x.data;
    std::int64_t rest = i;
    for (int d = out.rank - 1; d >= 0; --d) {
      if (d != axis) from += rest % out.shape[d] * x.stride[d];
      rest /= out.shape[d];
    }
    from += read_index(seek(index, index.data, i, 0, index.rank), index.format, x.shape[axis]) * x.stride[axis];
    std::memcpy(seek(out, out.data, i, 0, out.rank), from, std::size_t(bytes));
  }
}

namespace {

// x and indices [..., depth] pick pieces of shape `picked`'s last dims: [batch..., tuples..., x's dims after].
const char* pieces(const Operand& x, const Operand& index, const Operand& picked, std::int64_t batch_dims) {
  NETWRIGHT_TRY(plain(x, picked.format, -1));
  NETWRIGHT_TRY(plain(picked, picked.format, -1));
  NETWRIGHT_TRY(indices(index, -1));
  NETWRIGHT_REFUSE_IF(index.rank < 1 || batch_dims < 0 || batch_dims >= index.rank, "batch dims are out of range");
  const std::int64_t depth = index.shape[index.rank - 1], after = x.rank - batch_dims - depth;
  NETWRIGHT_REFUSE_IF(depth > x.rank || after < 0 || picked.rank != index.rank - 1 + after, "index tuples do not fit x");
  for (int d = 0; d < index.rank - 1; ++d) {
    NETWRIGHT_REFUSE_IF(picked.shape[d] != index.shape[d], "shapes do not agree with the indices");
    NETWRIGHT_REFUSE_IF(d < batch_dims && x.shape[d] != index.shape[d], "batch dims differ");
  }
  for (int d = 0; d < after; ++d)
    NETWRIGHT_REFUSE_IF(picked.shape[index.rank - 1 + d] != x.shape[batch_dims + depth + d], "shapes do not agree with x");
  for (int d = 0; d < depth; ++d)
    NETWRIGHT_REFUSE_IF(x.shape[batch_dims + d] < 1 && count_of(index) > 0, "x is empty");
  return nullptr;
}

// The piece of x that tuple `i` picks.
std::byte* pick(const Operand& x, const Operand& index, std::int64_t i, int batch_dims) {
  const int last = index.rank - 1;
  std::byte* tuple = seek(index, index.data, i, 0, last);
  std::byte* from = x.data;
  std::int64_t rest = i;
  for (int d = last - 1; d >= 0; --d) {
    if (d < batch_dims) from += rest % index.shape[d] * x.stride[d];
    rest /= index.shape[d];
  }
  for (std::int64_t j = 0; j < index.shape[last]; ++j)
    from += read_index(tuple + j * index.stride[last], index.format, x.shape[batch_dims + j]) * x.stride[batch_dims + j];
  return from;
}

}  // namespace

const char* check::gather_nd(const Call& call) {
  NETWRIGHT_TRY(counts(call, 3, 3, 1));
  return pieces(call.operand[1], call.operand[2], call.operand[0], call.parameter[0]);
}

void baseline::gather_nd(const Call& call) {
  const Operand &out = call.operand[0], &x = call.operand[1], &index = call.operand[2];
  const auto batch_dims = int(call.parameter[0]);
  const int last = index.rank - 1, first_kept = batch_dims + int(index.shape[last]);
  const Piece mine = piece(call, count_of(index, 0, last));
  for (std::int64_t i = mine.begin; i < mine.end; ++i)
    copy_rest(out, seek(out, out.data, i, 0, last), last, x, pick(x, index, i, batch_dims), first_kept);
}

const char* check::scatter_nd(const Call& call) {
  NETWRIGHT_TRY(counts(call, 4, 4, 0));
  NETWRIGHT_TRY(plain(call.operand[1], call.operand[0].format, -1));
  NETWRIGHT_REFUSE_IF(!same_shape(call.operand[0], call.operand[1]), "out has not the shape of x");
  return pieces(call.operand[0], call.operand[2], call.operand[3], 0);
}

// Later updates win, so one part does it all in order.
void baseline::scatter_nd(const Call& call) {
  if (call.part != 0) return;
  const Operand &out = call.operand[0], &x = call.operand[1], &index = call.operand[2], &updates = call.operand[3];
  if (out.data != x.data) copy_rest(out, out.data, 0, x, x.data, 0);
  const int last = index.rank - 1;
  for (std::int64_t i = 0; i < count_of(index, 0, last); ++i)
    copy_rest(out, pick(out, index, i, 0), int(index.shape[last]), updates, seek(updates, updates.data, i, 0, last), last);
}

}  // namespace netwright

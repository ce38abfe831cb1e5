// Walking several strided views of one shape together: dims are ordered by the first view's stride and merged where
// every view allows, so that the innermost run is as long as can be.
#pragma once

#include <cstdlib>

#include "vm/opcode.hpp"

namespace netwright {

template <int VIEWS>
struct Walk {
  int rank = 0;  // >= 1
  std::int64_t shape[kMaxRank] = {};
  std::int64_t stride[kMaxRank][VIEWS] = {};
  std::byte* data[VIEWS] = {};
  std::int64_t count = 1;

  // All operands have the shape of the first (broadcast by stride 0).
  static Walk of(const Call& call) {
    Walk walk;
    const Operand& first = call.operand[0];
    for (int v = 0; v < VIEWS; ++v) walk.data[v] = call.operand[v].data;
    for (int d = 0; d < first.rank; ++d) {
      walk.count *= first.shape[d];
      if (first.shape[d] == 1) continue;
      int at = walk.rank++;  // insertion, larger strides first
      for (; at > 0 && std::abs(walk.stride[at - 1][0]) < std::abs(first.stride[d]); --at) walk.move(at - 1, at);
      walk.shape[at] = first.shape[d];
      for (int v = 0; v < VIEWS; ++v) walk.stride[at][v] = call.operand[v].stride[d];
    }
    walk.merge();
    if (walk.rank == 0) walk.rank = 1, walk.shape[0] = 1;
    return walk;
  }

  std::int64_t inner() const { return shape[rank - 1]; }
  std::int64_t inner_stride(int view) const { return stride[rank - 1][view]; }

  // run(pointers, count) for consecutive pieces of innermost runs that make up elements [begin, end).
  template <class Run>
  void runs(Piece mine, Run&& run) const {
    if (mine.begin >= mine.end) return;
    std::int64_t index[kMaxRank], rest = mine.begin;
    for (int d = rank - 1; d >= 0; --d) index[d] = rest % shape[d], rest /= shape[d];
    for (std::int64_t at = mine.begin; at < mine.end;) {
      const std::int64_t left = inner() - index[rank - 1], length = left < mine.end - at ? left : mine.end - at;
      std::byte* pointer[VIEWS];
      for (int v = 0; v < VIEWS; ++v) {
        pointer[v] = data[v];
        for (int d = 0; d < rank; ++d) pointer[v] += index[d] * stride[d][v];
      }
      run(pointer, length);
      at += length;
      index[rank - 1] = 0;
      for (int d = rank - 2; d >= 0 && ++index[d] == shape[d]; --d) index[d] = 0;
    }
  }

 private:
  void move(int from, int to) {
    shape[to] = shape[from];
    for (int v = 0; v < VIEWS; ++v) stride[to][v] = stride[from][v];
  }
  void merge() {
    int kept = 0;
    for (int d = 1; d < rank; ++d) {
      bool joins = true;
      for (int v = 0; v < VIEWS; ++v) joins &= stride[kept][v] == stride[d][v] * shape[d];
      if (joins) {
        shape[kept] *= shape[d];
        for (int v = 0; v < VIEWS; ++v) stride[kept][v] = stride[d][v];
      } else if (++kept != d) {
        move(d, kept);
      }
    }
    if (rank > 0) rank = kept + 1;
  }
};

}  // namespace netwright

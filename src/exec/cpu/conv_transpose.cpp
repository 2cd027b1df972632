#include "exec/cpu/conv_transpose.h"

#include <functional>
#include <utility>

namespace outerloop::exec {
namespace {

// Pairs of registers are replaced by two combinations of them; one spare register goes round.
class Network {
 public:
  Network(Assembler& assembler, std::vector<int>& registers, int& spare)
      : assembler_(assembler), registers_(registers), spare_(spare) {}

  void unpack_singles(size_t i, size_t j) {
    replace(i, j, [&](Vector to, Vector a, Vector b, bool high) {
      high ? assembler_.vunpckhps(to, a, b) : assembler_.vunpcklps(to, a, b);
    });
  }
  void unpack_doubles(size_t i, size_t j) {
    replace(i, j, [&](Vector to, Vector a, Vector b, bool high) {
      high ? assembler_.vunpckhpd(to, a, b) : assembler_.vunpcklpd(to, a, b);
    });
  }
  // 128-bit parts, chosen by the immediates of the two combinations.
  void select_parts(size_t i, size_t j, uint8_t first, uint8_t second) {
    replace(i, j, [&](Vector to, Vector a, Vector b, bool high) {
      const uint8_t choice = high ? second : first;
      if (assembler_.is_avx512()) {
        assembler_.vshuff32x4(Xbyak::Zmm(to.getIdx()), Xbyak::Zmm(a.getIdx()),
                              Xbyak::Zmm(b.getIdx()), choice);
      } else {
        assembler_.vperm2f128(Xbyak::Ymm(to.getIdx()), Xbyak::Ymm(a.getIdx()),
                              Xbyak::Ymm(b.getIdx()), choice);
      }
    });
  }

 private:
  using Combine = std::function<void(Vector to, Vector a, Vector b, bool high)>;
  void replace(size_t i, size_t j, const Combine& combine) {
    const Vector a = assembler_.vec(registers_[i]), b = assembler_.vec(registers_[j]);
    combine(assembler_.vec(spare_), a, b, false);
    combine(b, a, b, true);
    std::swap(registers_[i], spare_);
  }

  Assembler& assembler_;
  std::vector<int>& registers_;
  int& spare_;
};

}  // namespace

std::vector<int> transpose_block(Assembler& assembler, std::vector<int> rows, int& spare) {
  Network network(assembler, rows, spare);
  const size_t group = assembler.is_f32() ? 4 : 2;  // elements of a 128-bit part
  const size_t groups = rows.size() / group;
  // Inside each part: `group` rows become the columns that the part holds.
  std::vector<size_t> place(group);  // of column c in its group
  for (size_t first = 0; first < rows.size(); first += group) {
    if (group == 4) {
      network.unpack_singles(first, first + 1);
      network.unpack_singles(first + 2, first + 3);
      network.unpack_doubles(first, first + 2);
      network.unpack_doubles(first + 1, first + 3);
      place = {0, 2, 1, 3};
    } else {
      network.unpack_doubles(first, first + 1);
      place = {0, 1};
    }
  }
  // Parts of the groups: part k of every group makes column k * group + c.
  std::vector<int> columns(rows.size());
  for (size_t c = 0; c < group; ++c) {
    const auto at = [&](size_t g) { return g * group + place[c]; };
    std::vector<size_t> order{at(0), at(1)};
    if (groups == 4) {
      network.select_parts(at(0), at(1), 0x44, 0xee);
      network.select_parts(at(2), at(3), 0x44, 0xee);
      network.select_parts(at(0), at(2), 0x88, 0xdd);
      network.select_parts(at(1), at(3), 0x88, 0xdd);
      order = {at(0), at(2), at(1), at(3)};
    } else {
      network.select_parts(at(0), at(1), 0x20, 0x31);
    }
    for (size_t k = 0; k < groups; ++k) columns[k * group + c] = rows[order[k]];
  }
  return columns;
}

}  // namespace outerloop::exec

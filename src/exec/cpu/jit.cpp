#include "exec/cpu/jit.h"

#include <algorithm>
#include <bit>

#include "outerloop/base/error.h"

namespace outerloop::exec {
namespace {

constexpr size_t kBufferBytes = 512 << 10;

const std::array<Xbyak::Reg64, 5>& callee_saved() {
  using namespace Xbyak::util;
  static const std::array<Xbyak::Reg64, 5> registers{rbx, r12, r13, r14, r15};
  return registers;
}

int round_up(int value, int unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Assembler::Assembler(Isa isa, DType dtype)
    : Assembler(isa, dtype,
                std::unique_ptr<CodeLine[]>(new CodeLine[kBufferBytes / sizeof(CodeLine)])) {}

Assembler::Assembler(Isa isa, DType dtype, std::unique_ptr<CodeLine[]> buffer)
    : CodeGenerator(kBufferBytes, buffer.get()),
      isa_(isa),
      dtype_(dtype),
      buffer_(std::move(buffer)) {
  OL_ASSERT(isa != Isa::scalar && is_floating(dtype), "code is generated for float vectors only");
  setDefaultJmpNEAR(true);
}

Lanes Assembler::lanes(int count, int mask) const {
  OL_ASSERT(count >= 1 && count <= vector_lanes(), "a vector holds 1 to vector_lanes() elements");
  int bits = vector_bytes() * 8;
  while (bits > 128 && count * element_bytes() * 8 <= bits / 2) bits /= 2;
  return {count, bits, count * element_bytes() * 8 < bits, mask};
}

void Assembler::set_mask(const Lanes& lanes) {
  if (!is_avx512() || !lanes.partial) return;
  mov(eax, (1u << lanes.count) - 1);
  kmovd(Xbyak::Opmask(lanes.mask), eax);
}

Vector Assembler::vec(int index, int bits) const {
  if (bits == 512) return Xbyak::Zmm(index);
  if (bits == 256) return Xbyak::Ymm(index);
  return Xbyak::Xmm(index);
}

void Assembler::enter(int saved) {
  OL_ASSERT(saved >= 0 && saved <= 5, "five registers can be saved");
  saved_ = saved;
  push(rbp);
  for (int i = 0; i < saved_; ++i) push(callee_saved()[static_cast<size_t>(i)]);
  mov(rbp, rsp);
  and_(rsp, -64);
  sub(rsp, 0x7fffffff);  // forces a 32-bit immediate, which finish() replaces
  frame_patch_ = getSize() - 4;
}

void Assembler::leave() {
  mov(rsp, rbp);
  for (int i = saved_; i-- > 0;) pop(callee_saved()[static_cast<size_t>(i)]);
  pop(rbp);
  vzeroupper();
  ret();
}

Xbyak::RegExp Assembler::frame_slot(int bytes) {
  frame_bytes_ = round_up(frame_bytes_, std::min(bytes, 64));
  const int offset = frame_bytes_;
  frame_bytes_ += bytes;
  return rsp + offset;
}

Xbyak::RegRip Assembler::pooled(Pooled kind, uint64_t content) {
  return rip + constants_[{kind, content}];
}

Xbyak::Address Assembler::constant(double value) {
  return constant_bits(pattern(value));
}

Xbyak::Address Assembler::constant_bits(uint64_t bits) {
  if (is_avx512()) return ptr_b[pooled(Pooled::element, bits)];
  return ptr[pooled(Pooled::vector, bits)];
}

void Assembler::place_constants() {
  for (const int bytes : {32, 8, 4}) {
    for (auto& [key, label] : constants_) {
      const auto [kind, content] = key;
      if (bytes != (kind == Pooled::element ? element_bytes() : 32)) continue;
      if (bytes == 32) align(32);
      L(label);
      for (int lane = 0; lane < bytes / element_bytes(); ++lane) {
        const bool active = kind != Pooled::lane_mask || lane < static_cast<int>(content);
        const uint64_t element = kind == Pooled::lane_mask ? ~uint64_t{0} : content;
        db(active ? element : 0, static_cast<size_t>(element_bytes()));
      }
    }
  }
}

void Assembler::load_lanes(Vector target, const Xbyak::RegExp& address, const Lanes& lanes) {
  if (!lanes.partial) {
    vmovups(target, ptr[address]);
  } else if (is_avx512()) {
    const Vector masked = target | Xbyak::Opmask(lanes.mask) | T_z;
    is_f32() ? vmovups(masked, ptr[address]) : vmovupd(masked, ptr[address]);
  } else if (lanes.count * element_bytes() == 4) {
    vmovss(Xbyak::Xmm(target.getIdx()), ptr[address]);
  } else if (lanes.count * element_bytes() == 8) {
    vmovsd(Xbyak::Xmm(target.getIdx()), ptr[address]);
  } else {
    vmovups(target, ptr[pooled(Pooled::lane_mask, static_cast<uint64_t>(lanes.count))]);
    is_f32() ? vmaskmovps(target, target, ptr[address]) : vmaskmovpd(target, target, ptr[address]);
  }
}

void Assembler::load_broadcast(Vector target, const Xbyak::RegExp& address) {
  broadcast_element(target, ptr[address]);
}

void Assembler::load_half_twice(Vector target, const Xbyak::RegExp& address) {
  vbroadcastf64x4(Xbyak::Zmm(target.getIdx()), ptr[address]);
}

void Assembler::extract_upper_half(int target, Vector source) {
  vextractf64x4(Xbyak::Ymm(target), Xbyak::Zmm(source.getIdx()), 1);
}

void Assembler::store_upper_half(const Xbyak::RegExp& address, Vector source) {
  vextractf64x4(ptr[address], Xbyak::Zmm(source.getIdx()), 1);
}

void Assembler::set_upper_half_mask(int mask) {
  const int half = vector_lanes() / 2;
  mov(eax, ((1u << half) - 1) << half);
  kmovd(Xbyak::Opmask(mask), eax);
}

void Assembler::blend(Vector target, Vector a, Vector b, int mask) {
  const Vector masked = target | Xbyak::Opmask(mask);
  is_f32() ? vblendmps(masked, a, b) : vblendmpd(masked, a, b);
}

void Assembler::broadcast_element(Vector target, const Xbyak::Address& element) {
  is_f32() ? vpbroadcastd(target, element) : vpbroadcastq(target, element);
}

bool Assembler::store_needs_spare(const Lanes& lanes) const {
  return !is_avx512() && lanes.partial && lanes.count * element_bytes() > 16;
}

void Assembler::store_lanes(const Xbyak::RegExp& address, Vector source, const Lanes& lanes,
                            int spare) {
  if (!lanes.partial) {
    vmovups(ptr[address], source);
    return;
  }
  if (is_avx512()) {
    const Xbyak::Address masked = ptr[address] | Xbyak::Opmask(lanes.mask);
    is_f32() ? vmovups(masked, source) : vmovupd(masked, source);
    return;
  }
  // The count is known here, so pieces are stored: masked stores are slow on many AVX2 machines.
  Xbyak::RegExp place = address;
  Xbyak::Xmm piece(source.getIdx());
  int bytes = lanes.count * element_bytes();
  if (bytes >= 16) vmovups(ptr[place], piece);
  if (bytes > 16) {
    vextractf128(Xbyak::Xmm(spare), Xbyak::Ymm(source.getIdx()), 1);
    piece = Xbyak::Xmm(spare);
    place = place + 16;
    bytes -= 16;
  }
  if (bytes == 4) vmovss(ptr[place], piece);
  if (bytes == 8 || bytes == 12) vmovlps(ptr[place], piece);
  if (bytes == 12) vextractps(ptr[place + 8], piece, 2);
}

void Assembler::move(Vector target, Vector source) {
  if (target.getIdx() != source.getIdx()) vmovaps(target, source);
}

uint64_t Assembler::pattern(double value) const {
  return is_f32() ? std::bit_cast<uint32_t>(static_cast<float>(value))
                  : std::bit_cast<uint64_t>(value);
}

void Assembler::load_constant(Vector target, double value) {
  load_constant_bits(target, pattern(value));
}

void Assembler::load_constant_bits(Vector target, uint64_t bits) {
  if (bits == 0 && !target.getOpmaskIdx()) {
    zero(target);
  } else if (is_avx512()) {
    broadcast_element(target, ptr[pooled(Pooled::element, bits)]);
  } else {
    vmovaps(target, constant_bits(bits));
  }
}

void Assembler::zero(Vector target) {
  const Xbyak::Xmm low(target.getIdx());  // clears the whole register
  target.getIdx() < 16 ? vpxor(low, low, low) : vpxord(low, low, low);
}

void Assembler::add(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vaddps(target, a, b) : vaddpd(target, a, b);
}
void Assembler::sub(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vsubps(target, a, b) : vsubpd(target, a, b);
}
void Assembler::mul(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vmulps(target, a, b) : vmulpd(target, a, b);
}
void Assembler::div(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vdivps(target, a, b) : vdivpd(target, a, b);
}
void Assembler::min(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vminps(target, a, b) : vminpd(target, a, b);
}
void Assembler::max(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vmaxps(target, a, b) : vmaxpd(target, a, b);
}
void Assembler::fma132(Vector target, Vector c, const Xbyak::Operand& b) {
  is_f32() ? vfmadd132ps(target, c, b) : vfmadd132pd(target, c, b);
}
void Assembler::fma213(Vector target, Vector b, const Xbyak::Operand& c) {
  is_f32() ? vfmadd213ps(target, b, c) : vfmadd213pd(target, b, c);
}
void Assembler::fma231(Vector target, Vector a, const Xbyak::Operand& b) {
  is_f32() ? vfmadd231ps(target, a, b) : vfmadd231pd(target, a, b);
}

Kernel Assembler::finish(std::shared_ptr<const void> state) {
  rewrite(frame_patch_, static_cast<uint64_t>(round_up(frame_bytes_, 64)), 4);
  place_constants();
  InstalledCode code = install_code(getCode(), getSize());
  struct Owner {
    std::shared_ptr<const void> code, state;
  };
  const void* argument = state.get();
  auto owner = std::make_shared<Owner>(Owner{std::move(code.owner), std::move(state)});
  return Kernel(std::bit_cast<Kernel::Function>(code.entry),
                std::shared_ptr<const void>(owner, argument));
}

}  // namespace outerloop::exec

#include "exec/cpu/spec_key.h"

#include <type_traits>

namespace outerloop::exec {
namespace {

class Key {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> Key& operator<<(T value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  template <class Range>
  requires requires(const Range& range) { range.begin(); }
  Key& operator<<(const Range& range) {
    *this << range.size();
    for (const auto& item : range) *this << item;
    return *this;
  }
  Key& operator<<(const LoopOutput& output) { return *this << output.kind << output.strides; }
  Key& operator<<(const ScalarInstruction& i) {
    return *this << i.op << i.a << i.b << i.c << i.index << i.value;
  }
  Key& operator<<(const ScalarBody& body) {
    return *this << body.input_count << body.instructions << body.outputs;
  }
  Key& operator<<(const Epilogue& e) { return *this << e.body << e.inputs << e.outputs; }
  Key& operator<<(const Move& m) {
    return *this << m.extents << m.source << m.target << m.source_offset << m.target_offset;
  }
  Key& operator<<(const ConvGeometry& g) {
    return *this << g.images << g.height << g.width << g.in_channels << g.out_height << g.out_width
                 << g.out_channels << g.kernel_height << g.kernel_width << g.stride << g.pad_top
                 << g.pad_left;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string key_of(const LoopSpec& spec) {
  return (Key{} << spec.dtype << spec.extents << spec.inputs << spec.body << spec.outputs).take();
}

std::string key_of(const MatmulSpec& s) {
  return (Key{} << s.dtype << s.batch << s.m << s.n << s.k << s.a_batch << s.a_row << s.a_k
                << s.b_batch << s.b_k << s.epilogue)
      .take();
}

std::string key_of(const ConvSpec& spec) {
  return (Key{} << spec.dtype << spec.direction << spec.geometry << spec.epilogue).take();
}

std::string key_of(const MoveSpec& spec) {
  return (Key{} << spec.element_bytes << spec.moves << spec.fills << spec.target_elements).take();
}

std::string key_of(const RowsSpec& s) {
  return (Key{} << s.dtype << s.outer << s.extent << s.inner << s.count).take();
}

}  // namespace outerloop::exec

#include "outerloop/io/row_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/io/seal.h"

namespace outerloop::io {
namespace {

namespace fs = std::filesystem;

using Front = std::array<char, kSealBytes>;
using RowSeal = std::array<uint8_t, 8>;

constexpr std::string_view kRowsMagic = "outerloop-rows 1\n";
constexpr const char* kValues = "values";
constexpr const char* kSeals = "seals";

int64_t value_bytes(const RowLayout& layout) {
  return layout.columns * static_cast<int64_t>(sizeof(double));
}

// All of the block follows from the layout, so a flipped bit anywhere in it shows.
Front front_of(const RowLayout& layout) {
  Front front{};
  const std::string text = fmt::format(
      "{}bytes {}\nrows {}\ncolumns {}\nvalues {}\nseals {}\nxxh3-128 {}\n", kRowsMagic,
      layout.bytes, layout.rows, layout.columns, layout.values, layout.seals, to_hex(layout.rest));
  const std::string sealed =
      text + fmt::format("front {}\n", to_hex(xxh3_64(std::as_bytes(std::span(text)))));
  std::ranges::copy(sealed, front.begin());
  return front;
}

// Whether the numbers fit a file of that size, so that nothing outside it is ever looked at.
bool is_sound(const RowLayout& layout, size_t file_bytes) {
  const auto bytes = static_cast<int64_t>(file_bytes);
  if (layout.bytes != bytes || layout.rows < 1 || layout.columns < 1) return false;
  if (layout.rows > bytes || layout.columns > bytes / layout.rows) return false;
  const auto inside = [&](int64_t offset, int64_t each) {
    return offset >= static_cast<int64_t>(kSealBytes) && layout.rows <= bytes / each &&
           offset <= bytes - layout.rows * each;
  };
  return inside(layout.values, value_bytes(layout)) && inside(layout.seals, sizeof(RowSeal));
}

// What never changes: all but the front, the values and the seals.
Hash128 hash_of_rest(std::string_view content, const RowLayout& layout) {
  std::array<std::pair<int64_t, int64_t>, 2> holes{
      std::pair(layout.values, layout.rows * value_bytes(layout)),
      std::pair(layout.seals, layout.rows * static_cast<int64_t>(sizeof(RowSeal)))};
  std::ranges::sort(holes);
  std::string rest;
  auto at = static_cast<int64_t>(kSealBytes);
  for (const auto& [offset, length] : holes) {
    if (offset > at)
      rest += content.substr(static_cast<size_t>(at), static_cast<size_t>(offset - at));
    at = std::max(at, offset + length);
  }
  rest += content.substr(static_cast<size_t>(at));
  return xxh3_128(std::as_bytes(std::span(rest)));
}

template <class T>
bool take_number(std::string_view& text, std::string_view name, T& value, int base = 10) {
  if (!text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

// The layout that the front claims, if it holds together.
std::optional<RowLayout> layout_in(std::string_view content) {
  if (content.size() < kSealBytes) return std::nullopt;
  std::string_view text = content.substr(kRowsMagic.size(), kSealBytes - kRowsMagic.size());
  RowLayout layout;
  const bool read = take_number(text, "bytes ", layout.bytes) &&
                    take_number(text, "\nrows ", layout.rows) &&
                    take_number(text, "\ncolumns ", layout.columns) &&
                    take_number(text, "\nvalues ", layout.values) &&
                    take_number(text, "\nseals ", layout.seals) && text.starts_with("\nxxh3-128 ");
  if (!read || text.size() < 43) return std::nullopt;
  std::string_view high = text.substr(10, 16), low = text.substr(26, 16);
  if (!take_number(high, "", layout.rest.high, 16) || !take_number(low, "", layout.rest.low, 16))
    return std::nullopt;
  const Front expected = front_of(layout);
  if (!content.starts_with(std::string_view(expected.data(), expected.size()))) return std::nullopt;
  return layout;
}

// Bound to the file's content and the row's place: a row of another file, or of another place, does
// not pass for this one.
RowSeal seal_of(const RowLayout& layout, int64_t row, std::span<const std::byte> values) {
  std::vector<std::byte> bytes(sizeof(layout.rest) + sizeof(row) + values.size());
  std::memcpy(bytes.data(), &layout.rest, sizeof(layout.rest));
  std::memcpy(bytes.data() + sizeof(layout.rest), &row, sizeof(row));
  std::ranges::copy(values, bytes.begin() + sizeof(layout.rest) + sizeof(row));
  const uint64_t hash = std::max<uint64_t>(xxh3_64(bytes), 1);
  RowSeal seal;
  for (size_t i = 0; i < seal.size(); ++i) seal[i] = static_cast<uint8_t>(hash >> (8 * i));
  return seal;
}

}  // namespace

RowSnapshot::RowSnapshot(const fs::path& file) : content_(read_file(file)) {
  if (!std::string_view(content_).starts_with(kRowsMagic)) {
    throw BadInput(file.string() + ": is no journal of results");
  }
  const auto layout = layout_in(content_);
  if (!layout) throw CorruptFile(file.string() + ": damaged in its first 512 bytes");
  layout_ = *layout;
  if (layout_.bytes > static_cast<int64_t>(content_.size())) {
    throw CorruptFile(fmt::format("{}: truncated: {} of {} bytes", file.string(), content_.size(),
                                  layout_.bytes));
  }
  if (!is_sound(layout_, content_.size()) || hash_of_rest(content_, layout_) != layout_.rest) {
    throw CorruptFile(file.string() + ": content differs from its checksum");
  }
}

RowSnapshot::RowSnapshot(const fs::path& file, const RowLayout& layout)
    : content_(read_file(file)), layout_(layout) {
  content_.resize(static_cast<size_t>(layout.bytes));
}

RowState RowSnapshot::read(int64_t row, std::span<double> values) const {
  OL_ASSERT(row >= 0 && row < layout_.rows && std::ssize(values) == layout_.columns, "no such row");
  RowSeal found;
  const auto bytes = static_cast<size_t>(value_bytes(layout_));
  const char* const stored = content_.data() + layout_.values + row * value_bytes(layout_);
  std::memcpy(found.data(), content_.data() + layout_.seals + row * std::ssize(found),
              found.size());
  if (found == RowSeal{}) return RowState::empty;
  if (found != seal_of(layout_, row, std::as_bytes(std::span(stored, bytes))))
    return RowState::damaged;
  std::memcpy(values.data(), stored, bytes);
  return RowState::whole;
}

bool looks_like_row_file(const fs::path& file) {
  return read_file(file).starts_with(kRowsMagic);
}

void create_row_file(const fs::path& file, int64_t rows, int64_t columns,
                     const std::function<void(Hdf5File&)>& write_rest) {
  OL_ASSERT(rows > 0 && columns > 0, "a row file has rows and columns");
  AtomicFile target(file);
  RowLayout layout{.rows = rows, .columns = columns};
  Hdf5File hdf5 = Hdf5File::create(target.temporary(), {.room_for_seal = true});
  write_rest(hdf5);
  Tensor values(DType::f64, {rows, columns});
  std::ranges::fill(values.as<double>(), std::numeric_limits<double>::quiet_NaN());
  hdf5.write(kValues, values, {.contiguous = true});
  const std::vector<uint8_t> seals(static_cast<size_t>(rows) * sizeof(RowSeal));
  hdf5.write_bytes(kSeals, {rows, sizeof(RowSeal)}, seals, {.contiguous = true});
  layout.values = hdf5.place_of(kValues);
  layout.seals = hdf5.place_of(kSeals);
  hdf5.close();

  const std::string content = read_file(target.temporary());
  layout.bytes = std::ssize(content);
  OL_ASSERT(is_sound(layout, content.size()), file.string() + " is laid out wrongly");
  layout.rest = hash_of_rest(content, layout);
  const Front front = front_of(layout);
  const int descriptor = ::open(target.temporary().c_str(), O_WRONLY | O_CLOEXEC);
  const bool written =
      descriptor >= 0 && ::pwrite(descriptor, front.data(), front.size(), 0) == ssize_t{kSealBytes};
  if (descriptor < 0 || ::close(descriptor) != 0 || !written) {
    throw_errno(file.string(), "write");
  }
  target.commit();
}

RowWriter::RowWriter(fs::path file, const RowLayout& layout)
    : file_(std::move(file)),
      layout_(layout),
      descriptor_(::open(file_.c_str(), O_WRONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw_errno(file_.string(), "open");
  }
}

RowWriter::RowWriter(RowWriter&& other) noexcept
    : file_(std::move(other.file_)),
      layout_(other.layout_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

RowWriter::~RowWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void RowWriter::write(int64_t row, std::span<const double> values) {
  OL_ASSERT(row >= 0 && row < layout_.rows && std::ssize(values) == layout_.columns, "no such row");
  const auto bytes = std::as_bytes(values);
  const RowSeal seal = seal_of(layout_, row, bytes);
  put(bytes, layout_.values + row * value_bytes(layout_));
  put(std::as_bytes(std::span(seal)), layout_.seals + row * std::ssize(seal));
}

void RowWriter::put(std::span<const std::byte> bytes, int64_t offset) const {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      throw_errno(file_.string(), "write");
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

void RowWriter::sync() {
  if (::fdatasync(descriptor_) != 0) {
    throw_errno(file_.string(), "sync");
  }
}

}  // namespace outerloop::io

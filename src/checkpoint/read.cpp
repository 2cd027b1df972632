// The archive that reads a checkpoint, and the checks before and during reading.

#include <fmt/format.h>

#include <fstream>

#include "checkpoint/file_format.h"
#include "checkpoint/schema.h"
#include "outerloop/base/error.h"
#include "outerloop/base/hash.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::checkpoint {
namespace {

namespace fs = std::filesystem;

Tensor read_verified(const io::Hdf5File& file, const std::string& dataset) {
  Tensor tensor = file.read(dataset);
  if (hash_of(tensor) != file.attribute_text(dataset, kHashAttribute))
    throw CorruptFile(
        fmt::format("{}: /{}: values differ from their checksum", file.path().string(), dataset));
  return tensor;
}

class Reader {
 public:
  explicit Reader(const io::Hdf5File& file) : file_(file) {}

  void field(const char* name, int64_t& value) { value = file_.attribute_int("/", name); }
  void field(const char* name, std::string& value) { value = file_.attribute_text("/", name); }
  void document(const char* name, std::string& text) { text = file_.read_text(name); }

  void table(const char* name, std::map<std::string, int64_t>& values) {
    for (const std::string& key : file_.list_attributes(name))
      values[key] = file_.attribute_int(name, key);
  }
  void table(const char* name, std::map<std::string, double>& values) {
    for (const std::string& key : file_.list_attributes(name))
      values[key] = file_.attribute_real(name, key);
  }
  void table(const char* name, std::map<std::string, std::string>& values) {
    for (const std::string& key : file_.list_attributes(name))
      values[key] = file_.attribute_text(name, key);
  }

  // Data sets come sorted by name; their owner's order is in an attribute.
  void tree(const std::string& name, io::TensorTree& tensors) {
    const std::vector<std::string> datasets = file_.list_datasets(name);
    const auto refuse = [&] {
      throw CorruptFile(fmt::format("{}: /{}: tensors are missing", file_.path().string(), name));
    };
    if (static_cast<size_t>(file_.attribute_int(name, kCountAttribute)) != datasets.size())
      refuse();
    tensors.assign(datasets.size(), {});
    for (const std::string& dataset : datasets) {
      const auto index = static_cast<size_t>(file_.attribute_int(dataset, kIndexAttribute));
      if (index >= tensors.size() || !tensors[index].name.empty()) refuse();
      tensors[index] = {dataset.substr(name.size() + 1), read_verified(file_, dataset)};
    }
  }

 private:
  const io::Hdf5File& file_;
};

io::Hdf5File open_checked(const fs::path& file) {
  io::Hdf5File hdf5 = io::Hdf5File::open_read(file);
  if (!hdf5.has_attribute("/", kFormatAttribute) ||
      hdf5.attribute_text("/", kFormatAttribute) != kFormatName)
    throw BadInput(file.string() + ": is an HDF5 file, but not a checkpoint");
  if (const int64_t version = hdf5.attribute_int("/", kVersionAttribute); version > kFormatVersion)
    throw NewerFormat(
        fmt::format("{}: has format version {}, this program reads up to {}; update it",
                    file.string(), version, kFormatVersion));
  if (!hdf5.has_attribute("/", kCompleteAttribute))
    throw CorruptFile(file.string() + ": was not written to its end");
  return hdf5;
}

void verify_datasets(const io::Hdf5File& file) {
  for (const std::string& dataset : file.list_datasets())
    if (file.has_attribute(dataset, kHashAttribute))
      read_verified(file, dataset);
    else
      file.read_texts(dataset);
}

// What the checksums inside the file say about a broken seal: data set and chunk, where they know.
std::string locate_damage(const fs::path& file) {
  try {
    verify_datasets(open_checked(file));
  } catch (const Error& error) {
    std::string_view text = error.what();
    if (text.starts_with(file.string() + ":")) text.remove_prefix(file.string().size() + 1);
    return std::string(text);
  }
  return " outside the data sets";
}

void require_seal(const fs::path& file) {
  const std::string verdict = io::check_seal(file);
  if (verdict.empty()) return;
  if (verdict.starts_with("truncated"))
    throw CorruptFile(fmt::format("{}: damaged: {}", file.string(), verdict));
  throw CorruptFile(fmt::format("{}: damaged: {};{}", file.string(), verdict, locate_damage(file)));
}

}  // namespace

void require_checkpoint(const fs::path& file) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    throw BadInput(fmt::format("{}: no such checkpoint file", file.string()));
  }
  constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";
  std::string begin(2 * io::kSealBytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<size_t>(in.gcount()));
  const bool known = begin.size() < kSignature.size() || begin.starts_with("outerloop-seal") ||
                     begin.find(kSignature) != std::string::npos;
  if (!known) throw BadInput(fmt::format("{}: is no checkpoint", file.string()));
}

Checkpoint read_checkpoint(const fs::path& file) {
  require_seal(file);
  const io::Hdf5File hdf5 = open_checked(file);
  Checkpoint checkpoint;
  Reader reader(hdf5);
  visit(reader, checkpoint);
  return checkpoint;
}

void verify_checkpoint(const fs::path& file) {
  require_seal(file);
  verify_datasets(open_checked(file));
}

std::string content_hash(const fs::path& file) {
  return sha256_hex_of_file(file);
}

Checkpoint deep_copy(const Checkpoint& checkpoint) {
  Checkpoint copy = checkpoint;
  for (io::TensorTree* tree : {&copy.parameters, &copy.optimizer, &copy.ema, &copy.state})
    for (io::NamedTensor& tensor : *tree) tensor.value = tensor.value.clone();
  return copy;
}

}  // namespace outerloop::checkpoint

// The archive that writes a checkpoint.

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "checkpoint/file_format.h"
#include "checkpoint/schema.h"
#include "outerloop/base/error.h"
#include "outerloop/checkpoint/checkpoint.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::checkpoint {
namespace {

// A tensor's name is a path below its tree, and no tensor lies below another.
void require_paths(const std::string& tree, const io::TensorTree& tensors) {
  const auto refuse = [&](const std::string& name, const char* why) {
    throw BadInput(fmt::format("checkpoint tree {}: tensor name '{}' {}", tree, name, why));
  };
  std::set<std::string_view> names;
  for (const io::NamedTensor& tensor : tensors)
    if (!names.insert(tensor.name).second) refuse(tensor.name, "occurs twice");
  for (const auto& [name, value] : tensors)
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = name.find('/', begin);
      const std::string part = name.substr(begin, end - begin);
      if (part.empty() || part == "." || part.find('\0') != std::string::npos)
        refuse(name, "is not a path");
      if (end != std::string::npos && names.contains(std::string_view(name).substr(0, end)))
        refuse(name, "lies below another tensor");
    }
}

class Writer {
 public:
  explicit Writer(io::Hdf5File& file) : file_(file) {}

  void field(const char* name, int64_t value) { file_.set_attribute_int("/", name, value); }
  void field(const char* name, const std::string& value) {
    file_.set_attribute_text("/", name, value);
  }
  void document(const char* name, const std::string& text) { file_.write_text(name, text); }

  void table(const char* name, const std::map<std::string, int64_t>& values) {
    file_.create_group(name);
    for (const auto& [key, value] : values) file_.set_attribute_int(name, key, value);
  }
  void table(const char* name, const std::map<std::string, double>& values) {
    file_.create_group(name);
    for (const auto& [key, value] : values) file_.set_attribute_real(name, key, value);
  }
  void table(const char* name, const std::map<std::string, std::string>& values) {
    file_.create_group(name);
    for (const auto& [key, value] : values) file_.set_attribute_text(name, key, value);
  }

  void tree(const std::string& name, const io::TensorTree& tensors) {
    require_paths(name, tensors);
    file_.create_group(name);
    file_.set_attribute_int(name, kCountAttribute, static_cast<int64_t>(tensors.size()));
    int64_t index = 0;
    for (const auto& [path, value] : tensors) {
      const std::string dataset = name + "/" + path;
      file_.write(dataset, value);
      file_.set_attribute_int(dataset, kIndexAttribute, index++);
      file_.set_attribute_text(dataset, kHashAttribute, hash_of(value));
    }
  }

 private:
  io::Hdf5File& file_;
};

}  // namespace

void write_checkpoint(const Checkpoint& checkpoint, const std::filesystem::path& file) {
  io::Hdf5File hdf5 = io::Hdf5File::create(file, {.room_for_seal = true});
  hdf5.set_attribute_text("/", kFormatAttribute, kFormatName);
  hdf5.set_attribute_int("/", kVersionAttribute, kFormatVersion);
  Writer writer(hdf5);
  visit(writer, checkpoint);
  hdf5.set_attribute_int("/", kCompleteAttribute, 1);
  hdf5.close();
  io::seal_file(file);
}

}  // namespace outerloop::checkpoint

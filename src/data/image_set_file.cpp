#include <fmt/format.h>

#include <algorithm>

#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"
#include "outerloop/data/image_set.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::data {
namespace {

constexpr const char* kFormat = "outerloop-dataset";
constexpr int64_t kVersion = 1;
constexpr int64_t kImagesPerChunk = 400;
constexpr const char* kRoot = "/";

// The writer and the reader of the file: both visit the same fields in the same order.
class Writer {
 public:
  explicit Writer(io::Hdf5File& file) : file_(file) {}

  void attribute(const char* name, const std::string& value) {
    file_.set_attribute_text(kRoot, name, value);
  }
  void attribute(const char* name, const int& value) {
    file_.set_attribute_int(kRoot, name, value);
  }
  void attribute(const char* name, const bool& value) {
    file_.set_attribute_int(kRoot, name, value ? 1 : 0);
  }
  void text(const char* name, const std::string& value) { file_.write_text(name, value); }
  void texts(const char* name, const std::vector<std::string>& values) {
    if (!values.empty()) file_.write_texts(name, values);
  }
  template <class T>
  void numbers(const std::string& name, const std::vector<T>& values) {
    if (!values.empty()) {
      const std::vector<int32_t> narrow(values.begin(), values.end());
      file_.write(name,
                  Tensor::from<int32_t>({static_cast<int64_t>(narrow.size())}, std::span(narrow)),
                  {.deflate = 9});
    }
  }
  void pixels(const ImagePreparation& p, const std::vector<uint8_t>& values) {
    const int64_t image = int64_t{p.height} * p.width * p.channels;
    const Shape shape{static_cast<int64_t>(values.size()) / image, p.height, p.width, p.channels};
    file_.write_bytes("images", shape, values,
                      {.deflate = 9, .chunk_elements = kImagesPerChunk * image});
  }
  void splits(const std::map<std::string, SplitScheme>& schemes) {
    for (const auto& [name, scheme] : schemes) {
      file_.create_group("splits/" + name);
      for (const Split split : kSplits) {
        numbers(fmt::format("splits/{}/{}", name, name_of(split)),
                scheme.classes[static_cast<size_t>(split)]);
      }
    }
  }

 private:
  io::Hdf5File& file_;
};

class Reader {
 public:
  explicit Reader(const io::Hdf5File& file) : file_(file) {}

  void attribute(const char* name, std::string& value) {
    value = file_.attribute_text(kRoot, name);
  }
  void attribute(const char* name, int& value) {
    value = static_cast<int>(std::clamp<int64_t>(file_.attribute_int(kRoot, name), -1, 1 << 30));
  }
  void attribute(const char* name, bool& value) { value = file_.attribute_int(kRoot, name) != 0; }
  void text(const char* name, std::string& value) { value = file_.read_text(name); }
  void texts(const char* name, std::vector<std::string>& values) {
    if (file_.exists(name)) values = file_.read_texts(name);
  }
  template <class T>
  void numbers(const std::string& name, std::vector<T>& values) {
    if (!file_.exists(name)) return;
    const Tensor tensor = file_.read(name);
    if (tensor.dtype() != DType::i32) {
      throw BadInput(fmt::format("{}: {} must hold integers", file_.path().string(), name));
    }
    const auto stored = tensor.as<int32_t>();
    values.assign(stored.begin(), stored.end());
  }
  void pixels(const ImagePreparation& p, std::vector<uint8_t>& values) {
    io::ByteArray images = file_.read_bytes("images");
    const Shape& shape = images.shape;
    if (shape.rank() != 4 || shape[1] != p.height || shape[2] != p.width ||
        shape[3] != p.channels) {
      throw BadInput(fmt::format("{}: images have shape {}, expected (images, {}, {}, {})",
                                 file_.path().string(), to_string(shape), p.height, p.width,
                                 p.channels));
    }
    values = std::move(images.values);
  }
  void splits(std::map<std::string, SplitScheme>& schemes) {
    for (const std::string& name : file_.list("splits")) {
      SplitScheme& scheme = schemes[name];
      for (const Split split : kSplits) {
        numbers(fmt::format("splits/{}/{}", name, name_of(split)),
                scheme.classes[static_cast<size_t>(split)]);
      }
    }
  }

 private:
  const io::Hdf5File& file_;
};

template <class Archive, class Set>
void visit(Archive& archive, Set& set) {
  archive.attribute("name", set.name);
  archive.attribute("source", set.source);
  archive.attribute("default_split", set.default_split);
  archive.attribute("height", set.preparation.height);
  archive.attribute("width", set.preparation.width);
  archive.attribute("channels", set.preparation.channels);
  archive.attribute("invert", set.preparation.invert);
  archive.text("licence", set.licence);
  archive.pixels(set.preparation, set.pixels);
  archive.numbers("class_begin", set.class_begin);
  archive.texts("class_names", set.class_names);
  archive.texts("group_names", set.group_names);
  archive.numbers("class_group", set.class_group);
  archive.numbers("image_maker", set.image_maker);
  archive.splits(set.splits);
}

// Throws unless the file is whole and is a data set of a version that this program reads.
void check_seal(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw BadInput(fmt::format("{}: no such data set; see 'outerloop data import --help'", where));
  }
  if (!io::is_sealed(path)) {
    throw BadInput(fmt::format(
        "{}: not a data set of outerloop; make one with 'outerloop data import'", where));
  }
  const std::string damage = io::check_seal(path);
  if (!damage.empty()) throw CorruptFile(fmt::format("{}: damaged: {}", where, damage));
}

void check_format(const io::Hdf5File& file) {
  const std::string where = file.path().string();
  if (!file.has_attribute(kRoot, "format") || file.attribute_text(kRoot, "format") != kFormat) {
    throw BadInput(fmt::format(
        "{}: an HDF5 file, but not a data set (attribute format is not '{}')", where, kFormat));
  }
  const int64_t version = file.attribute_int(kRoot, "format_version");
  if (version < 1 || version > kVersion) {
    throw BadInput(fmt::format("{}: data-set format {}, this program reads up to {}; update it",
                               where, version, kVersion));
  }
}

}  // namespace

void save_image_set(const ImageSet& set, const std::filesystem::path& path) {
  validate(set);
  AtomicFile atomic(path);
  io::Hdf5File file = io::Hdf5File::create(atomic.temporary(), {.room_for_seal = true});
  file.set_attribute_text(kRoot, "format", kFormat);
  file.set_attribute_int(kRoot, "format_version", kVersion);
  file.set_attribute_text(kRoot, "fingerprint", fingerprint(set));
  file.create_group("splits");
  Writer writer(file);
  visit(writer, set);
  file.close();
  io::seal_file(atomic.temporary());
  atomic.commit();
}

ImageSet load_image_set(const std::filesystem::path& path) {
  check_seal(path);
  const io::Hdf5File file = io::Hdf5File::open_read(path);
  check_format(file);
  ImageSet set;
  Reader reader(file);
  visit(reader, set);
  validate(set);
  const std::string stored = file.attribute_text(kRoot, "fingerprint");
  const std::string computed = fingerprint(set);
  if (stored != computed) {
    throw CorruptFile(fmt::format("{}: damaged: its content has fingerprint {}, it claims {}",
                                  path.string(), computed, stored));
  }
  return set;
}

}  // namespace outerloop::data

#include "outerloop/data/image_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "data/decode.h"
#include "data/file_tree.h"
#include "data/pixels.h"
#include "outerloop/base/atomic_file.h"
#include "outerloop/base/error.h"

namespace outerloop::data {
namespace {

constexpr uint64_t kMostPixels = 1ULL << 26;

bool starts_with(std::span<const std::byte> file, std::string_view magic) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

bool is_pnm(std::span<const std::byte> file) {
  return starts_with(file, "P2") || starts_with(file, "P3") || starts_with(file, "P5") ||
         starts_with(file, "P6");
}

std::vector<uint8_t> to_grey(const std::vector<uint8_t>& rgb) {
  std::vector<uint8_t> grey;
  grey.reserve(rgb.size() / 3);
  for (size_t i = 0; i < rgb.size(); i += 3) {
    const uint32_t level = rgb[i] * 19595U + rgb[i + 1] * 38470U + rgb[i + 2] * 7471U + 0x8000U;
    grey.push_back(static_cast<uint8_t>(level >> 16));
  }
  return grey;
}

std::vector<uint8_t> to_rgb(const std::vector<uint8_t>& grey) {
  std::vector<uint8_t> rgb;
  rgb.reserve(grey.size() * 3);
  for (const uint8_t level : grey) rgb.insert(rgb.end(), 3, level);
  return rgb;
}

bool ends_with_one_of(const std::string& name, std::span<const std::string_view> endings) {
  const std::string lower = lower_case(name);
  return std::ranges::any_of(endings, [&](std::string_view end) { return lower.ends_with(end); });
}

// Whether the file is to be read. Files that are no images may lie about, but an image in a format
// that is not read must not go missing without a word.
bool is_wanted(const std::string& name, const std::filesystem::path& where) {
  constexpr std::array<std::string_view, 8> kRead = {".png",  ".jpg", ".jpeg", ".jpe",
                                                     ".jfif", ".pgm", ".ppm",  ".pnm"};
  constexpr std::array<std::string_view, 13> kNotRead = {".webp", ".gif",  ".bmp",  ".tif", ".tiff",
                                                         ".heic", ".heif", ".avif", ".jp2", ".jxl",
                                                         ".pbm",  ".pam",  ".tga"};
  if (ends_with_one_of(name, kNotRead)) {
    throw BadInput(fmt::format(
        "{}: an image in a format that is not read (PNG, JPEG, PGM and PPM are): convert it",
        (where / name).string()));
  }
  return ends_with_one_of(name, kRead);
}

std::vector<std::string> wanted_names(const FileTree& tree, const std::filesystem::path& where) {
  std::vector<std::string> wanted;
  for (const std::string& name : tree.names()) {
    if (is_wanted(name, where)) wanted.push_back(name);
  }
  return wanted;
}

// A folder as deep as those of the images is a class: without an image it would go missing without
// a word, and another class be answered in its place.
void require_images_in_classes(const FileTree& tree, const std::vector<std::string>& images,
                               const std::filesystem::path& where) {
  std::set<std::string> full;  // with an image at any depth
  std::set<std::ptrdiff_t> depths;
  for (const std::string& name : images) {
    for (size_t slash = name.find('/'); slash != name.npos; slash = name.find('/', slash + 1)) {
      full.insert(name.substr(0, slash));
    }
    depths.insert(std::ranges::count(name, '/'));
  }
  for (const std::string& folder : tree.folders()) {
    if (full.contains(folder) || !depths.contains(std::ranges::count(folder, '/') + 1)) continue;
    throw BadInput(
        fmt::format("{}: no image in it that is read (PNG, JPEG, PGM and PPM are), other folders "
                    "beside it are classes: put images into it or take it away",
                    (where / folder).string()));
  }
}

void check_preparation(const ImagePreparation& preparation) {
  const auto bad_extent = [](int extent) { return extent < 1 || extent > 4096; };
  if (bad_extent(preparation.height) || bad_extent(preparation.width)) {
    throw BadInput(fmt::format("image size {} x {}: both must be 1 to 4096", preparation.height,
                               preparation.width));
  }
  if (preparation.channels != 1 && preparation.channels != 3) {
    throw BadInput(
        fmt::format("image channels must be 1 (grey) or 3 (colour), got {}", preparation.channels));
  }
}

}  // namespace

void check_size(uint64_t height, uint64_t width, const std::string& name) {
  if (height == 0 || width == 0) throw BadInput(fmt::format("{}: the image is empty", name));
  if (height > kMostPixels || width > kMostPixels || height * width > kMostPixels) {
    throw BadInput(fmt::format("{}: an image of {} x {} pixels is too large (at most {} pixels)",
                               name, height, width, kMostPixels));
  }
}

Image decode_image(std::span<const std::byte> file, const std::string& name) {
  if (starts_with(file, "\x89PNG")) return decode_png(file, name);
  if (starts_with(file, "\xFF\xD8\xFF")) return decode_jpeg(file, name);
  if (is_pnm(file)) return decode_pnm(file, name);
  throw BadInput(fmt::format("{}: not a PNG, JPEG, PGM or PPM image", name));
}

Image prepare(const Image& image, const ImagePreparation& preparation) {
  check_preparation(preparation);
  Image result = image;
  if (result.channels != preparation.channels) {
    result.pixels = preparation.channels == 1 ? to_grey(image.pixels) : to_rgb(image.pixels);
    result.channels = preparation.channels;
  }
  result = resize_lanczos(result, preparation.height, preparation.width);
  if (preparation.invert) {
    for (uint8_t& level : result.pixels) level = static_cast<uint8_t>(255 - level);
  }
  return result;
}

std::vector<float> load_image(const std::filesystem::path& path,
                              const ImagePreparation& preparation) {
  const std::string content = read_file(path);
  const Image image =
      prepare(decode_image(std::as_bytes(std::span(content)), path.string()), preparation);
  std::vector<float> values(image.pixels.size());
  scale_pixels(image.pixels, values);
  return values;
}

std::vector<std::filesystem::path> image_files(const std::filesystem::path& folder_or_zip) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder_or_zip, ignored)) return {folder_or_zip};
  std::vector<std::filesystem::path> files;
  for (const std::string& name : wanted_names(*open_file_tree(folder_or_zip), folder_or_zip)) {
    files.push_back(folder_or_zip / name);
  }
  return files;
}

std::vector<NamedImage> read_images(const std::filesystem::path& folder_or_zip,
                                    const ImagePreparation& preparation) {
  const std::unique_ptr<FileTree> tree = open_file_tree(folder_or_zip);
  const std::vector<std::string> wanted = wanted_names(*tree, folder_or_zip);
  require_images_in_classes(*tree, wanted, folder_or_zip);
  std::vector<NamedImage> images;
  for (const std::string& name : wanted) {
    const std::string where = (folder_or_zip / name).string();
    const size_t slash = name.rfind('/');
    images.push_back({.name = name,
                      .label = slash == std::string::npos ? "" : name.substr(0, slash),
                      .image = prepare(decode_image(tree->read(name), where), preparation)});
  }
  if (images.empty()) {
    throw BadInput(
        fmt::format("{}: no images in it (PNG, JPEG, PGM or PPM)", folder_or_zip.string()));
  }
  return images;
}

}  // namespace outerloop::data

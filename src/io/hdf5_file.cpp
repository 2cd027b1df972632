// Hdf5File: opening, closing, groups.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "io/hdf5_handle.h"
#include "io/hdf5_image.h"
#include "outerloop/base/error.h"
#include "outerloop/io/hdf5.h"
#include "outerloop/io/seal.h"

namespace outerloop::io {
namespace {

namespace fs = std::filesystem;

Hdf5Id access_properties(const Hdf5Place& place) {
  Hdf5Id fapl = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, place, "set up");
  check(H5Pset_fclose_degree(fapl.get(), H5F_CLOSE_STRONG), place, "set up");
#if H5_VERSION_GE(1, 10, 7)
  // Files get their final name only when complete, and some cluster file systems have no locks.
  check(H5Pset_file_locking(fapl.get(), false, true), place, "set up");
#endif
  return fapl;
}

// Creation time would make equal content unequal files.
Hdf5Id untimed_properties(hid_t kind, const Hdf5Place& place) {
  Hdf5Id properties = own(H5Pcreate(kind), H5Pclose, place, "set up");
  check(H5Pset_obj_track_times(properties.get(), false), place, "set up");
  return properties;
}

// Tells apart what a user can mend before HDF5 says only "unable to open".
void require_readable(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) throw BadInput(file.string() + ": no such file");
  if (fs::is_directory(file, ignored)) throw BadInput(file.string() + ": is a folder, not a file");
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_errno(file.string(), "open");
  ::close(descriptor);
}

herr_t collect_link(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

}  // namespace

Hdf5File::Hdf5File(fs::path path, int64_t id, std::unique_ptr<Hdf5Image> image)
    : path_(std::move(path)), image_(std::move(image)), id_(id), writing_(image_ != nullptr) {}

Hdf5File Hdf5File::open_read(const fs::path& file) {
  const Hdf5Call call;
  const Hdf5Place place{file, {}};
  require_readable(file);
  if (H5Fis_hdf5(file.c_str()) <= 0) {
    H5Eclear2(H5E_DEFAULT);
    throw BadInput(file.string() + ": is not an HDF5 file");
  }
  const Hdf5Id fapl = access_properties(place);
  return {file, check(H5Fopen(file.c_str(), H5F_ACC_RDONLY, fapl.get()), place, "open"), nullptr};
}

Hdf5File Hdf5File::create(const fs::path& file, const CreateOptions& options) {
  const Hdf5Call call;
  const Hdf5Place place{file, {}, true};
  auto image = std::make_unique<Hdf5Image>(file);
  const Hdf5Id fapl = access_properties(place);
  image->attach(fapl, place);
  // This format keeps checksums over its metadata, the older ones do not.
  check(H5Pset_libver_bounds(fapl.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), place, "set up");
  const Hdf5Id fcpl = untimed_properties(H5P_FILE_CREATE, place);
  if (options.room_for_seal) check(H5Pset_userblock(fcpl.get(), kSealBytes), place, "set up");
  const std::string name = image->name_for_hdf5();
  const hid_t id = H5Fcreate(name.c_str(), H5F_ACC_EXCL, fcpl.get(), fapl.get());
  return {file, check(id, place, "create"), std::move(image)};
}

Hdf5File::~Hdf5File() {
  give_up();
}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_(std::move(other.path_)),
      image_(std::move(other.image_)),
      id_(std::exchange(other.id_, -1)),
      writing_(other.writing_) {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(image_, other.image_);
  std::swap(id_, other.id_);
  std::swap(writing_, other.writing_);
  return *this;
}

void Hdf5File::close() {
  const Hdf5Call call;
  OL_ASSERT(id_ >= 0, path_.string() + " is closed already");
  const Hdf5Place place{path_, {}, writing_};
  if (writing_) check(H5Fflush(id_, H5F_SCOPE_GLOBAL), place, "flush");
  check(H5Fclose(std::exchange(id_, -1)), place, "close");
  if (writing_) image_->write();
}

void Hdf5File::give_up() noexcept {
  if (id_ < 0) return;
  const Hdf5Call call;
  H5Fclose(std::exchange(id_, -1));
  H5Eclear2(H5E_DEFAULT);
}

bool Hdf5File::exists(std::string_view name) const {
  const Hdf5Call call;
  return path_exists(id_, {path_, name, writing_});
}

bool Hdf5File::is_group(std::string_view name) const {
  const Hdf5Call call;
  const Hdf5Place place{path_, name, writing_};
  if (!path_exists(id_, place)) return false;
  return H5Iget_type(open_object(id_, place).get()) == H5I_GROUP;
}

std::vector<std::string> Hdf5File::list(std::string_view group) const {
  const Hdf5Call call;
  const Hdf5Place place{path_, group, writing_};
  const Hdf5Id object = open_object(id_, place);
  if (H5Iget_type(object.get()) != H5I_GROUP)
    throw BadInput(fmt::format("{}: {} is not a group", path_.string(), absolute(group)));
  std::vector<std::string> names;
  check(H5Literate(object.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_link, &names), place,
        "list");
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> Hdf5File::list_datasets(std::string_view group) const {
  const Hdf5Call call;
  // Links of a damaged file may form a circle. An object takes more than 32 bytes, so a longer list
  // than that goes round and round.
  constexpr uintmax_t kLeastObjectBytes = 32;
  uintmax_t budget = std::numeric_limits<uintmax_t>::max();
  if (!writing_) budget = fs::file_size(path_) / kLeastObjectBytes;
  std::vector<std::string> datasets;
  std::vector<std::string> groups = {absolute(group)};
  while (!groups.empty()) {
    const std::string parent = std::move(groups.back());
    groups.pop_back();
    for (const std::string& member : list(parent)) {
      if (budget-- == 0)
        throw CorruptFile(fmt::format("{}: {}: groups contain each other", path_.string(), parent));
      const std::string path = (parent == "/" ? "" : parent) + "/" + member;
      const Hdf5Id object = open_object(id_, {path_, path, writing_});
      if (H5Iget_type(object.get()) == H5I_GROUP) groups.push_back(path);
      if (H5Iget_type(object.get()) == H5I_DATASET) datasets.push_back(path.substr(1));
    }
  }
  std::sort(datasets.begin(), datasets.end());
  return datasets;
}

void Hdf5File::create_group(std::string_view group) {
  const Hdf5Call call;
  const Hdf5Place place{path_, group, true};
  const std::string path = absolute(group);
  const Hdf5Id properties = untimed_properties(H5P_GROUP_CREATE, place);
  for (size_t end = 0; end != std::string::npos && path != "/";) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (path_exists(id_, {path_, part, true})) continue;
    own(H5Gcreate2(id_, part.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Gclose, place,
        "create the group");
  }
}

}  // namespace outerloop::io

// outerloop data: foreign formats to data set files, and what is in them.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/output_file.h"
#include "cli/program.h"
#include "outerloop/base/error.h"
#include "outerloop/data/image_file.h"
#include "outerloop/data/import.h"
#include "outerloop/data/raw_table.h"

namespace outerloop::cli {
namespace {

namespace fs = std::filesystem;

struct DataArguments {
  std::string input, second, classes, out;
  int size = 28;
  data::ImageImportOptions images;
  std::vector<double> fractions;
};

int save(const data::ImageSet& set, const fs::path& out) {
  data::save_image_set(set, out);
  fmt::print("{}-> {}\n", data::summary(set), out.string());
  return kDone;
}

int import_omniglot(const DataArguments& options) {
  const fs::path folder = options.input;
  const fs::path background = folder / "images_background.zip";
  const fs::path evaluation = folder / "images_evaluation.zip";
  require_place_for(options.out, {background, evaluation});
  return save(data::import_omniglot(background, evaluation, options.size), options.out);
}

data::ImageImportOptions image_options(const DataArguments& options) {
  data::ImageImportOptions images = options.images;
  if (!options.fractions.empty()) {
    std::ranges::copy(options.fractions, images.fractions.emplace().begin());
  }
  return images;
}

int import_images(const DataArguments& options) {
  require_place_for(options.out, data::image_files(options.input));
  return save(data::import_images(options.input, image_options(options)), options.out);
}

int import_idx(const DataArguments& options) {
  require_place_for(options.out, {options.input, options.second, options.classes});
  return save(
      data::import_idx(options.input, options.second, options.classes, image_options(options)),
      options.out);
}

int show(const DataArguments& options) {
  if (fs::is_directory(options.input)) {
    throw BadInput(fmt::format(
        "{0}: is a folder; expected a data set file, which `outerloop data import images {0} --out "
        "FILE` makes of folders of images",
        options.input));
  }
  fmt::print("{}", data::RawTable::is_table(options.input)
                       ? data::summary(data::RawTable::read(options.input))
                       : data::summary(data::load_image_set(options.input)));
  return kDone;
}

void add_image_options(Command command, const std::shared_ptr<DataArguments>& options) {
  data::ImageImportOptions& images = options->images;
  command.add_option("--name", images.name, "Name of the data set; default: the folder's");
  command.add_option("--licence", images.licence, "Licence, kept in the file");
  command.add_option("--height", images.preparation.height, "Pixels").capture_default_str();
  command.add_option("--width", images.preparation.width, "Pixels").capture_default_str();
  command.add_option("--channels", images.preparation.channels, "1 = grey, 3 = colour")
      .one_of({"1", "3"})
      .capture_default_str();
  command.add_flag("--invert", images.preparation.invert, "Dark ink on light paper becomes high");
  command.add_option("--split-seed", images.split_seed, "Shuffles the classes")
      .range(0, 1'000'000'000'000)
      .default_str("0");
  command
      .add_option("--fractions", options->fractions,
                  "Shares of the classes for train, validation and test")
      .expected(3)
      .default_str("0.7 0.1 0.2");
}

}  // namespace

void add_data(Program& program) {
  auto options = std::make_shared<DataArguments>();
  Command command = program.app.add_subcommand("data", "Make and look at data set files");
  command.require_subcommand();
  Command importing = command.add_subcommand("import", "Make a data set file");
  importing.require_subcommand();
  const auto add = [&](Command parent, const char* name, const char* help,
                       int (*action)(const DataArguments&)) {
    Command added = parent.add_subcommand(name, help);
    added.callback([&program, action, options] {
      program.action = [action, options] { return action(*options); };
    });
    return added;
  };

  Command omniglot = add(importing, "omniglot", "From the official archives", import_omniglot);
  omniglot
      .add_option("FOLDER", options->input, "Holds images_background.zip, images_evaluation.zip")
      .required();
  omniglot.add_option("--size", options->size, "Pixels of a side")
      .range(1, 1024)
      .capture_default_str();
  omniglot.add_option("--out", options->out, "File to write").required();

  Command images = add(importing, "images", "From a folder or zip; class = folder", import_images);
  images
      .add_option("SOURCE", options->input,
                  "Folder or zip of images; the class of an image is the folder that it is in")
      .required();
  images.add_option("--out", options->out, "File to write").required();
  add_image_options(images, options);

  Command idx = add(importing, "idx", "From IDX files, as MNIST has them", import_idx);
  idx.add_option("IMAGES", options->input, "IDX file of images, .gz or not").required();
  idx.add_option("LABELS", options->second, "IDX file of labels, .gz or not").required();
  idx.add_option("--classes", options->classes, "CSV: class, and name, split, group if known");
  idx.add_option("--out", options->out, "File to write").required();
  add_image_options(idx, options);

  Command showing = add(command, "show",
                        "Of images: sizes, splits, groups, licence; of a table: its columns", show);
  showing.add_option("FILE", options->input, "Data set file").required();
}

}  // namespace outerloop::cli

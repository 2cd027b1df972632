#pragma once
// Named numbers and texts of a reference file, whether it is HDF5 or JSON: some layouts come as
// both. Objects are named by path ("cases/a/n_repeats").

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reference/stored_file.h"

namespace outerloop::reference {

// Getters throw BadInput, naming file and object, when it is not there or something else.
class Document {
 public:
  virtual ~Document() = default;

  virtual std::string name() const = 0;  // of the file
  virtual bool exists(const std::string& path) const = 0;
  // Names of the members of a group. Throws when two are equal.
  virtual std::vector<std::string> list(const std::string& group) const = 0;
  // A scalar, a list or a matrix, row-major.
  virtual std::vector<double> numbers(const std::string& path) const = 0;
  // Extent of the outermost axis.
  virtual size_t rows(const std::string& path) const = 0;
  // Empty for none.
  virtual std::string text(const std::string& path) const = 0;
  // Paths of all numbers that numbers() has not been asked for.
  virtual std::vector<std::string> unread() const = 0;

  double number(const std::string& path) const;
  size_t count(const std::string& path, size_t most) const;  // a whole number, 0 or more
};

// Texts are attributes of the group that they are in; the text "none" stands for none.
class Hdf5Document : public Document {
 public:
  explicit Hdf5Document(const StoredFile& file) : file_(file) {}

  std::string name() const override { return file_.path().string(); }
  bool exists(const std::string& path) const override;
  std::vector<std::string> list(const std::string& group) const override;
  std::vector<double> numbers(const std::string& path) const override;
  size_t rows(const std::string& path) const override;
  std::string text(const std::string& path) const override;
  std::vector<std::string> unread() const override;

 private:
  const StoredFile& file_;
};

// A list of objects that each have a "name" is a group of them; null is not there, or no text, or
// among numbers NaN; true and false are 1 and 0.
class JsonDocument : public Document {
 public:
  // Throws BadInput when the file is not there or no JSON.
  explicit JsonDocument(const std::filesystem::path& file);
  ~JsonDocument() override;

  std::string name() const override { return file_.string(); }
  bool exists(const std::string& path) const override;
  std::vector<std::string> list(const std::string& group) const override;
  std::vector<double> numbers(const std::string& path) const override;
  size_t rows(const std::string& path) const override;
  std::string text(const std::string& path) const override;
  std::vector<std::string> unread() const override;

 private:
  struct Content;

  std::filesystem::path file_;
  std::unique_ptr<Content> content_;
  mutable std::set<std::string> read_;
};

}  // namespace outerloop::reference

#pragma once
// A distribution of tasks. Families are immutable once made: any thread may draw from one at any
// time, in any order, and gets the same bits.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "outerloop/data/device_drawing.h"
#include "outerloop/data/episode.h"

namespace outerloop::data {

// What a task is, for reports: its parameters (regression) or its classes in label order.
struct TaskDescription {
  std::vector<std::pair<std::string, double>> parameters;
  std::vector<std::string> class_names;
  std::string group;  // where all classes come from one group
};

// Images that all tasks of a family are made of.
struct ImageTable {
  std::span<const uint8_t> pixels;  // (image, height, width, channels)
  int height = 0;
  int width = 0;
  int channels = 0;
};

class TaskFamily {
 public:
  virtual ~TaskFamily() = default;
  TaskFamily(const TaskFamily&) = delete;
  TaskFamily& operator=(const TaskFamily&) = delete;

  const EpisodeShape& shape() const { return shape_; }
  const EpisodeSpec& spec() const { return spec_; }

  // Throws BadInput where the split cannot give a task of this shape (too few classes or images).
  // Call it before training; draw() on such a split throws too.
  virtual void check(Split split) const;

  // How many tasks of this shape the split has: slots go round them. 0: no two are the same.
  virtual int64_t tasks(Split split) const;
  // Theirs, in the order in which slots of validation and test go round them; empty: no names.
  virtual std::vector<std::string> task_names(Split split) const;

  // Writes the task into the buffers. No allocation. Throws InternalError when a buffer's size is
  // not that of the spec.
  void draw(const TaskKey& key, const EpisodeBuffers& buffers) const;

  // The rows of support_x and query_x are images of this table, each byte divided by 255; without
  // pixels where they are something else.
  virtual ImageTable images() const { return {}; }
  // How a device draws the same tasks: all of these families do. A family of other tasks may keep
  // the default, which throws BadInput; its trainings run on threads.
  virtual DeviceDrawing device_drawing(const SendUp& send_up) const;

  virtual TaskDescription describe(const TaskKey& key) const = 0;

 protected:
  // Throws BadInput on a shape without rows, or minibatches half given.
  TaskFamily(const EpisodeShape& shape, const EpisodeSpec& spec);

 private:
  virtual void draw_task(const TaskKey& key, const EpisodeBuffers& buffers) const = 0;
  void require_labels(const EpisodeBuffers& buffers) const;

  EpisodeShape shape_;
  EpisodeSpec spec_;
};

// Fills indices with consecutive passes over the rows, each pass freshly shuffled: a minibatch is a
// run of it (Nichol et al. 2018, the loop of supervised-reptile). A row comes twice in a minibatch
// only across the border of two passes.
void draw_minibatches(const TaskKey& key, int rows, std::span<int32_t> indices);

}  // namespace outerloop::data

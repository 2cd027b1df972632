#pragma once
// From a config to what a run works with: data, task families, the learner.

#include <filesystem>
#include <memory>
#include <string>

#include "outerloop/config/read.h"
#include "outerloop/data/family.h"
#include "outerloop/data/image_set.h"
#include "outerloop/data/table_set.h"
#include "outerloop/exec/executable.h"
#include "outerloop/meta/learner.h"
#include "outerloop/meta/plan.h"

namespace outerloop::train {

// The data of a config, loaded once. `folder`: where the config file lies. Throws BadInput or
// CorruptFile when a data set is missing or damaged. `known`: as of load_table_set().
struct Data {
  std::shared_ptr<const data::ImageSet> images;  // null for other families
  std::shared_ptr<const data::TableSet> table;   // null for other families
  std::string fingerprint;                       // of the data set; empty for synthetic families
  std::filesystem::path file;                    // absolute; empty for synthetic families
};
Data load_data(const config::Config& config, const std::filesystem::path& folder,
               const data::TablePreparation* known = nullptr);

// Tasks by this protocol; throws BadInput when the data cannot give them.
std::shared_ptr<const data::TaskFamily> make_family(const config::Config& config,
                                                    const config::Protocol& protocol,
                                                    const Data& data);

meta::TaskShape task_shape(const data::TaskFamily& family);

// How programs are compiled for this run: runtime.isa, or the widest that the machine runs.
exec::CompileOptions compile_options(const config::Config& config);

// Everything that training, evaluation and prediction share.
struct Setup {
  config::Config config;
  Data data;
  std::shared_ptr<const data::TaskFamily> train_tasks;
  std::shared_ptr<const data::TaskFamily> test_tasks;  // of validation and test
  meta::TaskShape train_shape;
  meta::TaskShape test_shape;
  meta::Learner learner;
  int64_t test_steps = 0;  // inner steps in validation and test; 0 for learners without steps
};
Setup make_setup(const config::Config& config, const std::filesystem::path& folder,
                 const data::TablePreparation* known = nullptr);
// Throws BadInput when a split that a training needs cannot give its tasks, when the learner cannot
// solve those of the test, or where the processor is to make fast products. The data set is that of
// with_known_dataset().
Setup make_training_setup(const config::Resolved& resolved);

}  // namespace outerloop::train

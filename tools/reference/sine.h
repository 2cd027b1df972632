#pragma once
// Regression files with an MLP: maml_sine and learned_opt.

#include "reference/fields.h"

namespace outerloop::reference {

struct SineFile {
  SineFile(const Context& context, const std::string& theta_group, const std::string& data_group);

  // The groups that are named after an activation.
  static std::vector<std::string> activations(const Context& context);
  // Model and inner rate; the group's path starts with its activation.
  config::Config config_of(const Context& context, const std::string& group) const;

  StoredNetwork network;
  NamedTensors theta;  // inputs theta/…
  StoredTasks tasks;
};

// query_loss, support_loss and phi of a group: the learner's adaptation over all its steps.
void check_losses(Context& context, const SineFile& file, const std::string& group,
                  const meta::Learner& learner, const NamedTensors& theta);

}  // namespace outerloop::reference

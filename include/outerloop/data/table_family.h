#pragma once
// Few-shot tasks of a table: `shots` support rows and `queries` query rows of one task (of each of
// `ways` classes), drawn without replacement. support_x (rows, inputs), targets (rows, 1) or
// labels.
//
// Training draws a task uniformly. Validation and test go round the tasks of their split in the
// table's order by slot, so as many episodes as tasks see each once, and the rows are drawn anew in
// each round. Classes keep the table's order: with all of them in each task, a label always means
// the same class; with fewer ways than classes, the task's are drawn.

#include <memory>

#include "outerloop/data/family.h"
#include "outerloop/data/table_set.h"

namespace outerloop::data {

// Throws BadInput on ways that do not fit the table's target.
std::unique_ptr<TaskFamily> make_table_family(std::shared_ptr<const TableSet> set,
                                              const EpisodeShape& shape);

}  // namespace outerloop::data

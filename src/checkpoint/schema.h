#pragma once
// What a checkpoint holds, said once: the writer, the reader and the tools all walk this list.
//
// An archive takes
//   field(name, int64 or text)   a short value
//   document(name, text)         a long text
//   tree(name, TensorTree)       tensors under a name
//   table(name, map)             named scalars of one kind

namespace outerloop::checkpoint {

// `State` is Checkpoint or const Checkpoint.
template <class Archive, class State>
void visit(Archive& archive, State& state) {
  archive.field("iteration", state.iteration);
  archive.field("config_hash", state.config_hash);
  archive.field("dataset_fingerprint", state.dataset_fingerprint);
  archive.document("config/yaml", state.config);
  archive.table("integers", state.integers);
  archive.table("reals", state.reals);
  archive.table("texts", state.texts);
  archive.tree("parameters", state.parameters);
  archive.tree("optimizer", state.optimizer);
  archive.tree("ema", state.ema);
  archive.tree("state", state.state);
}

}  // namespace outerloop::checkpoint

#include "cli/program.h"

int main(int argc, char** argv) {
  return outerloop::cli::run_program(argc, argv);
}

// Part of every test program that is built with AddressSanitizer.

// HDF5 asks for whatever size a damaged header claims, and takes a no.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}

// It forgets some of its own memory when opening fails.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

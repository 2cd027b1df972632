# The libraries that outerloop links, for the build and for outerloopConfig.cmake alike.
# They are found once, at the top, because imported targets are visible only where they were found.
set(OUTERLOOP_PACKAGES Threads CLI11 fmt JPEG nlohmann_json PNG yaml-cpp)
set(OUTERLOOP_MPI MPI COMPONENTS C)  # asks for the language C to be enabled
set(OUTERLOOP_PKGCONFIG_MODULES libxxhash libzip)  # linked as PkgConfig::<module>

"""What tools/packages.sh counts as missing on a machine whose /usr is a folder of the test."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "tools/packages.sh"
BASH = shutil.which("bash")


class Packages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.script = self.folder / "packages.sh"
        self.script.write_text(PACKAGES.read_text().replace("/usr/", f"{self.folder}/usr/"))

    def make(self, name, text=""):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def make_command(self, name, text):
        self.make(name, f"#!{BASH}\n{text}\n").chmod(0o755)

    def missing(self, *words, **environment):
        # No compiler on this path, nor an apt-get: the script says what is missing and ends.
        run = subprocess.run([BASH, self.script, *words], capture_output=True, text=True, check=False,
                             env={"PATH": f"{self.folder}/bin", **environment})
        self.assertEqual(run.returncode, 2, run.stderr)
        packages = run.stderr.rpartition(": ")[2].split()
        self.assertIn("g++", packages)
        return packages

    def test_headers_are_found_without_a_compiler(self):
        self.make("elsewhere/include/CLI/CLI.hpp")
        self.assertIn("libcli11-dev", self.missing())
        for variable, entry in (("CPATH", "elsewhere/include"), ("CMAKE_PREFIX_PATH", "elsewhere"),
                                ("CONDA_PREFIX", "elsewhere")):
            with self.subTest(variable=variable):
                places = {variable: f"/no/such:{self.folder / entry}"}
                self.assertNotIn("libcli11-dev", self.missing(**places))

    def test_hdf5_is_there_where_it_is_a_serial_one(self):
        self.make_command("bin/pkg-config", "exit 0")  # hdf5.pc may be of any
        for header, is_there in (("usr/include/hdf5/openmpi/hdf5.h", False),
                                 ("usr/include/hdf5/serial/hdf5.h", True),
                                 ("usr/include/hdf5.h", True),
                                 ("elsewhere/include/hdf5.h", True)):
            with self.subTest(header=header):
                file = self.make(header)
                packages = self.missing(HDF5_ROOT=f"{self.folder}/elsewhere")
                self.assertEqual("libhdf5-dev" not in packages, is_there)
                file.unlink()

    def test_python_modules_may_be_of_either_python(self):
        for of_system, of_path in (("exit 1", "exit 1"), ("exit 0", "exit 1"), ("exit 1", "exit 0")):
            with self.subTest(of_system=of_system, of_path=of_path):
                self.make_command("usr/bin/python3", of_system)
                self.make_command("bin/python3", of_path)
                packages = self.missing("--tests")
                self.assertEqual("python3-h5py" in packages, of_system == of_path)


if __name__ == "__main__":
    unittest.main()

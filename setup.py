"""What pyproject.toml cannot say: the look-up of opt-outs is compiled where there is a C compiler, and runs as Python where there is none."""

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

TYPES = "streams/optout_index/compiled"
"""Where probe.pxd lies, under the name of its module."""


class BuildWhereItCan(build_ext):
    """An optional extension may fail to compile; a compiler that is not there is an error of another kind."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            raise CompileError(str(error)) from None


(probe,) = cythonize(
    Extension(
        "hegui.streams.optout_index.probe",
        ["streams/optout_index/probe.py"],
        depends=[TYPES + "/hegui/streams/optout_index/probe.pxd"],
    ),
    include_path=[TYPES],
    build_dir="build",
    compiler_directives={"annotation_typing": False},  # annotations say what Python takes, probe.pxd says what C takes
)
probe.optional = True  # what is given to Cython comes back without it
setup(cmdclass={"build_ext": BuildWhereItCan}, ext_modules=[probe])

#include "core/errors.hpp"
#include "core/thread_pool.hpp"
#include "kernels/table.hpp"

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace cnet::bind {
void register_ops(py::module_&);
void register_losses(py::module_&);
void register_optimizers(py::module_&);
void register_normalization(py::module_&);
void register_dropout(py::module_&);
void register_random(py::module_&);
void register_variables(py::module_&);
void register_network(py::module_&);
void register_trainer(py::module_&);
} // namespace cnet::bind

namespace {

py::dict build_info() {
  py::list built;
  int count;
  const cnet::kernels::InstructionSet* isas = cnet::kernels::built_isas(count);
  for (int n = 0; n < count; ++n) built.append(isas[n].name);
  py::dict info;
  info["version"] = CNET_VERSION;
  info["compiler"] = CNET_COMPILER;
  info["instruction_sets"] = built;
  info["instruction_set"] = cnet::kernels::chosen_isa();
  info["threads"] = cnet::thread_limit();
  return info;
}

} // namespace

PYBIND11_MODULE(core, m) {
  m.doc() = "The compiled core of cnet, used through cnet's public modules.";
  // A wrong environment variable fails the import, not the first step.
  cnet::kernels::chosen_isa();
  cnet::thread_limit();
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const cnet::NonFinite& e) {
      PyErr_SetString(PyExc_FloatingPointError, e.what());
    } catch (const cnet::Busy& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  });
  m.def("build_info", &build_info,
        "Return version, compiler, built and chosen instruction sets, and the maximum number of threads as a dict.");
  m.def("get_num_threads", &cnet::thread_limit, "Return the maximum number of threads of a call.");
  m.def("set_num_threads", &cnet::set_thread_limit, py::arg("num_threads"),
        "Set the maximum number of threads of a call. Results do not depend on it.\n\n"
        "The initial value is CNET_NUM_THREADS or, if that is not set, the number of CPUs that the process\n"
        "may run on, at most OMP_NUM_THREADS. Raises ValueError unless it is in [1, 1024].");
  cnet::bind::register_ops(m);
  cnet::bind::register_losses(m);
  cnet::bind::register_optimizers(m);
  cnet::bind::register_normalization(m);
  cnet::bind::register_dropout(m);
  cnet::bind::register_random(m);
  cnet::bind::register_variables(m);
  cnet::bind::register_network(m);
  cnet::bind::register_trainer(m);
}

/// In a subinterpreter pybind11's initialization would wait forever for the GIL.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return PyInit_core();
  PyErr_SetString(PyExc_ImportError, "cnet works in the main interpreter only, not in subinterpreters");
  return nullptr;
}
